"""`minewatch demo`: the campaign of 2018 from its first hour to the closing report, in two minutes; then to be looked at."""

import asyncio
import contextlib
import json
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from services.simulation.course import SERVICE, a_stage, live, timetable
from services.simulation.logs import Logs, read_logs
from services.simulation.milestones import missing
from services.simulation.news import News, weeks
from services.simulation.outside import Outside, outside, write_hooks
from services.simulation.scene import Stage
from services.simulation.summary import faults, figures, undelivered
from services.together import FIRST_PLAN, listening, shipped, stopped, town
from shared.clock import SimulatedClock
from shared.embedded.home import Home
from shared.errors import MinewatchError
from shared.plan.loader import load_plan
from shared.plan.terms import PlanTerms

IMPATIENT = (timedelta(milliseconds=200), timedelta(seconds=1))
"""Between two attempts of a delivery: the clock waits for it."""

SCRIPTED = "zhenchengdi-2018"
"""The plan that the script belongs to."""


class TownLivesHere(MinewatchError):
    """The folder holds a town already, and the demo begins with an empty one."""


class OtherCampaign(MinewatchError):
    """The script tells the campaign of 2018 in this town; another plan has other villages and days."""


def run(data: Path | None, seed: int, leave: bool, summary: Path | None, port: int, plan: Path | None) -> int:
    """The exit code: 0 when everything promised has happened. Raises TownLivesHere, OtherCampaign, NotAsScripted, NotQuiet."""
    return asyncio.run(_until_told(data, seed, leave, summary, port, plan))


async def _until_told(
    data: Path | None, seed: int, leave: bool, summary: Path | None, port: int, plan: Path | None
) -> int:
    """Either signal ends it wherever it is, with the servers stopped."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await _demo(data, seed, leave, summary, port, plan)


async def _demo(data: Path | None, seed: int, leave: bool, summary: Path | None, port: int, plan: Path | None) -> int:
    console, began = Console(), time.monotonic()
    given = plan or shipped(FIRST_PLAN)
    terms = the_plan(given)
    clock = SimulatedClock(terms.starts_at)
    with folder_of(data) as folder:
        async with outside() as world:
            write_hooks(folder, world.hooks)
            async with (
                town(
                    folder, given, clock, world.mail.address, back_off=IMPATIENT, say=lambda text: console.print(text)
                ) as together,
                listening(together, _free(port)) as address,
                a_stage(together, address, clock, seed) as stage,
            ):
                logs = await _seventy_days(stage, console, world)
                told = await figures(together, logs, terms, time.monotonic() - began)
                wrong = [*faults(told, terms), *undelivered(world, logs)]
                wrong += [f"没有发生：{name}" for name in missing(logs, terms, stage.seen)]
                _show(console, logs, terms, told, world, wrong)
                if summary is not None:
                    summary.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", "utf-8")
                if not leave:
                    _invite(console, stage, address, folder)
                    await stopped()
    return 1 if wrong else 0


def the_plan(path: Path) -> PlanTerms:
    """Raises OtherCampaign, PlanFileError."""
    loaded = load_plan(path)
    if loaded.plan.code != SCRIPTED:
        raise OtherCampaign(f"the demo's script belongs to the plan {SCRIPTED}; {path.name} is {loaded.plan.code}")
    return PlanTerms(loaded.plan, loaded.version)


@contextmanager
def folder_of(data: Path | None) -> Iterator[Path]:
    """The given folder, kept; or one that is removed at the end. Raises TownLivesHere."""
    if data is None:
        with tempfile.TemporaryDirectory(prefix="minewatch-demo-", ignore_cleanup_errors=True) as made:
            yield Path(made)
        return
    if Home(data).known or (data / "postgres").exists():
        raise TownLivesHere(f"{data} holds a town already; give the demo an empty folder, or none")
    data.mkdir(parents=True, exist_ok=True)
    yield data.resolve()


def _free(port: int) -> int:
    """`port`, or 0 (any free one) when somebody else has it."""
    with contextlib.closing(socket.socket()) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port


async def _seventy_days(stage: Stage, console: Console, world: Outside) -> Logs:
    plan = stage.cast.plan
    with News(console, plan) as news:
        await live(stage, timetable(stage.cast, world.mail), news, plan.periods[-1].due_at)
    return await read_logs(stage.http, stage.cast.tokens.issue_service(SERVICE))


def _show(
    console: Console, logs: Logs, plan: PlanTerms, told: dict[str, Any], world: Outside, wrong: list[str]
) -> None:
    console.print(weeks(logs, plan))
    events = "，".join(f"{name} {count}" for name, count in told["events"].items())
    console.print(
        f"事件：{events}；发布 {told['published']}，重述 {told['restated']}，搁置 {told['parked']}", soft_wrap=True
    )
    console.print(
        f"送出：邮件 {world.mail.letters} 封，回调 {len(world.desk.ids)} 次；用时 {told['seconds']} 秒", soft_wrap=True
    )
    for line in wrong:
        console.print(f"[red]✗ {line}[/red]")
    if not wrong:
        console.print("[green]✓ 收发逐条一致，该发生的都发生了[/green]")


def _invite(console: Console, stage: Stage, address: str, folder: Path) -> None:
    """Where to look, and as whom."""
    plan = stage.cast.plan
    pages = {
        "/tip": "举报（无需登录）",
        "/sign-in": "登录：粘贴下面的令牌",
        "/cases/hazards": "隐患清单与时间线",
        f"/reporting/reports/{plan.code}-{plan.town_unit}-03": "第3期周报：有重述，数字可点开看事件",
        "/notify/inbox": "我的通知",
    }
    console.print(f"\nready {address}")
    for path, what in pages.items():
        console.print(f"  {address}{path}  {what}", soft_wrap=True)
    people = {"组长": "group_leader", "办公室工作人员": "clerk", "独兰村负责人": "village_head dulan"}
    for title, words in people.items():
        console.print(f"{title}：", end="")
        console.print(stage.cast.token(stage.cast.who(words)), soft_wrap=True, highlight=False)
    console.print(f"数据：{folder}；按 Ctrl-C 结束", soft_wrap=True)
