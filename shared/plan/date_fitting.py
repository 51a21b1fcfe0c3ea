"""What must hold of a plan's days: phases tile the campaign, and everything dated touches it."""

from collections.abc import Iterator
from datetime import date, timedelta

from shared.plan.calendar import days_of
from shared.plan.mistakes import Loc, Mistake
from shared.plan.model import CalendarYear, Plan


def date_misfits(plan: Plan) -> Iterator[Mistake]:
    if plan.ends_on < plan.starts_on:
        yield _backwards(("ends_on",), plan.starts_on, plan.ends_on)
        return
    yield from _phases(plan)
    yield from _spans(plan)
    yield from _calendar(plan)
    yield from _codes_in_time(plan)


def _phases(plan: Plan) -> Iterator[Mistake]:
    """They follow one another without gap or overlap, from the first day to the last."""
    want = plan.starts_on
    for n, phase in enumerate(plan.phases):
        if phase.ends_on < phase.starts_on:
            yield _backwards(("phases", n, "ends_on"), phase.starts_on, phase.ends_on)
        if phase.starts_on != want:
            missing = phase.starts_on > want
            yield Mistake(
                ("phases", n, "starts_on"),
                f"阶段“{phase.zh}”从 {phase.starts_on} 开始，{'前面有缺口' if missing else '与前面重叠'}。",
                f"phase {phase.code} begins on {phase.starts_on}, {'after a gap' if missing else 'while another runs'}.",
                f"改为 {want}。",
                f"let it begin on {want}.",
            )
        want = phase.ends_on + timedelta(days=1)
    if want != plan.ends_on + timedelta(days=1):
        last = len(plan.phases) - 1
        yield Mistake(
            ("phases", last, "ends_on"),
            f"最后一个阶段到 {plan.phases[last].ends_on}，行动到 {plan.ends_on}。",
            f"the last phase ends on {plan.phases[last].ends_on}, the campaign on {plan.ends_on}.",
            f"改为 {plan.ends_on}，或改行动的 ends_on。",
            f"let it end on {plan.ends_on}, or change the campaign's ends_on.",
        )


def _spans(plan: Plan) -> Iterator[Mistake]:
    """Days that belong to the campaign touch it."""
    spans: list[tuple[Loc, date, date | None]] = []
    for n, special in enumerate(plan.special_periods):
        spans.append((("special_periods", n), special.from_on, special.until_on))
    for n, person in enumerate(plan.people):
        spans.append((("people", n), person.from_on, person.until_on))
    for at, from_on, until_on in spans:
        if until_on is not None and until_on < from_on:
            yield _backwards((*at, "until_on"), from_on, until_on)
        elif until_on is not None and until_on < plan.starts_on:
            yield _outside((*at, "until_on"), until_on, plan)
        elif from_on > plan.ends_on:
            yield _outside((*at, "from_on"), from_on, plan)
    for n, channel in enumerate(plan.channels):
        if channel.since > plan.ends_on:
            yield _outside(("channels", n, "since"), channel.since, plan)


def _calendar(plan: Plan) -> Iterator[Mistake]:
    for n, year in enumerate(plan.calendar):
        yield from _year(("calendar", n), year)
    covered = {d for y in plan.calendar for d in days_of(y.from_on, y.until_on)}
    bare = [day for day in days_of(plan.starts_on, plan.ends_on) if day not in covered]
    if bare:
        yield Mistake(
            ("calendar",),
            f"日历没有覆盖行动期间的 {bare[0]} 至 {bare[-1]}。",
            f"no calendar speaks of {bare[0]} to {bare[-1]}, which are days of the campaign.",
            "加上这一年国务院办公厅的放假安排。",
            "add the State Council's notice for that year.",
        )


def _year(at: Loc, year: CalendarYear) -> Iterator[Mistake]:
    if year.until_on < year.from_on:
        yield _backwards((*at, "until_on"), year.from_on, year.until_on)
        return
    days: list[tuple[Loc, date, date]] = []
    days += [((*at, "holidays", n, "from_on"), h.from_on, h.until_on) for n, h in enumerate(year.holidays)]
    days += [((*at, "extra_working_days", n), day, day) for n, day in enumerate(year.extra_working_days)]
    days += [((*at, "named_days", n, "on"), named.on, named.on) for n, named in enumerate(year.named_days)]
    for where, first, last in days:
        if last < first:
            yield _backwards((*where[:-1], "until_on"), first, last)
        elif first < year.from_on or last > year.until_on:
            yield Mistake(
                where,
                f"{first} 不在这份日历的 {year.from_on} 至 {year.until_on} 之内。",
                f"{first} lies outside this calendar, {year.from_on} to {year.until_on}.",
                "移到相应年份的日历，或改 from_on、until_on。",
                "move it to its own year's calendar, or change from_on and until_on.",
            )
    off = {day for h in year.holidays for day in days_of(h.from_on, h.until_on)}
    for n, day in enumerate(year.extra_working_days):
        if day in off or day.weekday() < 5:
            yield Mistake(
                (*at, "extra_working_days", n),
                f"{day} {'同时列为节假日' if day in off else '本来就是工作日'}。",
                f"{day} is {'a holiday as well' if day in off else 'a working day anyway'}.",
                "从调休上班日中删去，或改正日期。",
                "remove it here, or correct the date.",
            )


def _codes_in_time(plan: Plan) -> Iterator[Mistake]:
    """A village's division code is valid on every day of the campaign."""
    for n, village in enumerate(plan.villages):
        at: Loc = ("villages", n)
        if village.until_on is not None and village.until_on < village.from_on:
            yield _backwards((*at, "until_on"), village.from_on, village.until_on)
        elif village.from_on > plan.starts_on or (village.until_on or plan.ends_on) < plan.ends_on:
            late = village.from_on > plan.starts_on
            yield Mistake(
                (*at, "from_on" if late else "until_on"),
                f"{village.zh}的代码在行动期间并非一直有效。",
                f"the code {village.code} is not valid throughout the campaign.",
                "改用行动期间有效的代码，或改正日期。",
                "take the code that was valid during the campaign, or correct the date.",
            )


def _backwards(at: Loc, first: date, last: date) -> Mistake:
    return Mistake(
        at,
        f"结束日期 {last} 早于开始日期 {first}。",
        f"it ends on {last}, before it begins on {first}.",
        f"改为 {first} 或以后的日期。",
        f"let it end on {first} or later.",
    )


def _outside(at: Loc, day: date, plan: Plan) -> Mistake:
    return Mistake(
        at,
        f"{day} 在行动期间（{plan.starts_on} 至 {plan.ends_on}）之外。",
        f"{day} lies outside the campaign, {plan.starts_on} to {plan.ends_on}.",
        "改正日期，或删去这一项。",
        "correct the date, or remove the entry.",
    )
