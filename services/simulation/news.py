"""What is seen of it: a progress bar over the seventy days, a line of news now and then, and the weeks as a table."""

from collections import Counter
from datetime import datetime, timedelta
from types import TracebackType

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from services.simulation.logs import Fact, Logs
from shared.plan.calendar import TOWN_TIME, days_of, town_day
from shared.plan.terms import Period, PlanTerms


class News:
    """`console`: where it is told. A context manager around the seventy days."""

    def __init__(self, console: Console, plan: PlanTerms) -> None:
        self._console, self._plan = console, plan
        self._first = plan.plan.starts_on
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("天"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        days = len(days_of(plan.plan.starts_on, plan.plan.ends_on))
        self._task = self._progress.add_task(plan.plan.name, total=days)

    def __enter__(self) -> "News":
        self._progress.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._progress.stop()

    def day(self, moment: datetime) -> None:
        """Where the clock stands."""
        today = town_day(moment)
        phase = self._plan.phase_at(datetime.combine(today, datetime.min.time(), TOWN_TIME))
        called = f"{today:%m-%d} {self._plan.name('phase', phase)}" if phase else f"{today:%m-%d}"
        self._progress.update(self._task, completed=(today - self._first).days, description=called)

    def tell(self, at: datetime, text: str) -> None:
        self._progress.console.print(
            f"[dim]{at.astimezone(TOWN_TIME):%m-%d %H:%M}[/dim] {text}", highlight=False, soft_wrap=True
        )


COLUMNS = (
    "期",
    "截止",
    "阶段",
    "举报",
    "巡查",
    "隐患",
    "销号",
    "逾期",
    "通知",
    "按时",
    "迟报",
    "缺报",
    "退回",
    "重述",
    "上报",
)

HAPPENED = (
    "intake.tip.received", "intake.patrol.recorded", "cases.hazard.listed", "cases.hazard.closed_out",
    "cases.hazard.became_overdue", "notify.message.issued",
)  # fmt: skip
"""What the columns from 举报 to 通知 count."""


def weeks(logs: Logs, plan: PlanTerms) -> Table:
    """One row a report period: what happened in it (by the time it happened), and how its reports went. Fits 80 columns."""
    table = Table(title=f"{plan.plan.name}：逐周", title_justify="left", box=box.SIMPLE_HEAD)
    table.pad_edge, table.show_edge, table.padding = False, False, 0
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for period in plan.periods:
        table.add_row(*_row(logs, plan, period))
    return table


def _row(logs: Logs, plan: PlanTerms, p: Period) -> list[str]:
    def happened(kind: str) -> int:
        return sum(p.starts_at <= fact.occurred_at < p.cut_off_at for fact in logs.all(kind))

    reports = {name: _of_period(logs, name, p) for name in ("submitted", "missed", "returned", "restated", "filed")}
    units = [fact for fact in reports["submitted"] if fact.data["unit"] != plan.town_unit]
    late = Counter(fact.data["late"] for fact in {fact.stream: fact for fact in reversed(units)}.values())
    filed = reports["filed"][0].recorded_at.strftime("%d日%H:%M") if reports["filed"] else "—"
    return [
        str(p.no),
        f"{p.cut_off_at.astimezone(TOWN_TIME) - timedelta(minutes=1):%m-%d}",
        _phases(plan, p),
        *(str(happened(kind)) for kind in HAPPENED),
        str(late[False]),
        str(late[True]),
        *(str(len(reports[name])) for name in ("missed", "returned", "restated")),
        filed,
    ]


def _phases(plan: PlanTerms, p: Period) -> str:
    """Numbers of the phases that the period lies in: "2-3"."""
    order = plan.codes("phase")
    ends = (plan.phase_at(p.starts_at), plan.phase_at(p.cut_off_at - timedelta(minutes=1)))
    return "-".join(dict.fromkeys(str(order.index(phase) + 1) for phase in ends if phase))


def _of_period(logs: Logs, what: str, p: Period) -> list[Fact]:
    return logs.all(f"reporting.weekly_report.{what}", period_no=p.no)
