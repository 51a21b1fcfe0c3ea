"""A plan in a page: what it says, when things are due, who answers for what, and what is still open. Chinese first."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from shared.plan.calendar import ONE_DAY, TOWN_TIME, days_of, town_day
from shared.plan.gaps import gaps
from shared.plan.loader import LoadedPlan
from shared.plan.model import Person, Rule
from shared.plan.rule_fitting import kept_in
from shared.plan.terms import Period, PlanTerms

WEEKDAYS = ["周一", "周二", "周三", "周四", "周五", "周六", "周日"]
UNITS = {
    "minutes": "分钟",
    "hours": "小时",
    "natural_days": "个自然日",
    "working_days": "个工作日",
    "unsaid_days": "日（未说明哪种日）",
    "months": "个月",
    "yuan": "元",
    "times": "次",
    "fold": "倍",
}
KINDS = {"law": "法规", "plan": "方案", "practice": "他处做法", "decision": "本办设定"}
MARKS = {"found": "", "likely": "（凭记忆，须核对）", "unsure": "（须核对）"}


def explain(loaded: LoadedPlan) -> str:
    """The page, ending in a line feed."""
    terms = PlanTerms(loaded.plan, loaded.version)
    parts = (_head(loaded, terms), _phases(terms), _reports(terms), _keepers(terms), _rules(terms), _posts(terms))
    open_points = [f"  - {zh} {en}" for zh, en in gaps(terms)] or ["  无 none"]
    lines = [line for part in (*parts, ["缺口 Gaps", *open_points]) for line in (*part, "")]
    return "\n".join(line.rstrip() for line in lines)


def _head(loaded: LoadedPlan, terms: PlanTerms) -> Iterator[str]:
    plan = loaded.plan
    days = days_of(plan.starts_on, plan.ends_on)
    working = terms.calendar.working_days(days)
    yield f"{plan.name}"
    yield f"{plan.name_en}"
    yield f"{loaded.version}  sha256 {loaded.sha256}"
    document = f"{plan.document.issuer}  {plan.document.dated_on}  {plan.document.number or '无文号'}"
    yield f"{document}  {len(plan.villages)} 个村（居） villages"
    yield (
        f"{plan.starts_on} {WEEKDAYS[plan.starts_on.weekday()]} — {plan.ends_on} {WEEKDAYS[plan.ends_on.weekday()]}  "
        f"{len(days)} 天，其中 {working} 个工作日 {len(days)} days, {working} of them working days"
    )
    for special in plan.special_periods:
        yield f"  {special.zh} {special.en}: {special.from_on:%m-%d} — {special.until_on:%m-%d}"


def _phases(terms: PlanTerms) -> Iterator[str]:
    yield "阶段 Phases：首尾相接，覆盖整个行动 they tile the campaign"
    yield from _table(
        (
            str(n),
            f"{p.starts_on:%m-%d} {WEEKDAYS[p.starts_on.weekday()]} — {p.ends_on:%m-%d} {WEEKDAYS[p.ends_on.weekday()]}",
            f"{(p.ends_on - p.starts_on).days + 1} 天",
            f"{len(p.duties)} 项职责",
            f"{p.zh} {p.en}",
        )
        for n, p in enumerate(terms.plan.phases, start=1)
    )


def _reports(terms: PlanTerms) -> Iterator[str]:
    count = len(terms.periods)
    units = len(terms.reporting_units)
    yield f"周报 Reports：{count} 期，首尾相接，覆盖整个行动；{units} 个单位报送 {count} periods tile the campaign, {units} units"
    rows = [("期", "截止统计 cut off", "应报 due", "缺报 missing", "")]
    rows += [
        (str(p.no), _when(p.cut_off_at), _when(p.due_at), _when(p.missing_at), _on(terms, p)) for p in terms.periods
    ]
    yield from _table(rows)


def _on(terms: PlanTerms, period: Period) -> str:
    """What is particular about the day a report is due."""
    if period.closing:
        return "末期 closing report"
    day = town_day(period.due_at)
    named = terms.calendar.named_days.get(day) or terms.calendar.holidays.get(day)
    if terms.calendar.is_working_day(day):
        return " ".join(named or ())
    zh, en = named or ("休息日", "a day off")
    return f"{zh}，照报 {en}, due all the same"


def _keepers(terms: PlanTerms) -> Iterator[str]:
    yield f"监管 Keepers：{len(terms.plan.categories)} 类点位都有属地和部门监管 every site category has both（* 重点 key）"
    shared: dict[tuple[str, str], list[str]] = {}
    for category in terms.plan.categories:
        pair = (category.keepers.territorial, category.keepers.departmental)
        shared.setdefault(pair, []).append(f"{category.zh}{'*' if category.key else ''}")
    for (territorial, departmental), names in shared.items():
        village = "所在村（居）" if territorial == "village" else terms.name("unit", territorial)
        yield f"  {village} + {terms.name('unit', departmental)}：{'、'.join(names)}"


def _rules(terms: PlanTerms) -> Iterator[str]:
    yield "期限 Terms：系统计时 these run"
    kept = kept_in(terms.plan)
    running = [terms.rule(code, terms.starts_at) for code in kept]
    yield from _table((r.zh, _length(r), f"{KINDS[r.source.kind]}{MARKS[r.source.mark]}", r.en) for r in running)
    held = [r for r in terms.plan.rules if r.code not in kept and _during(terms, r)]
    yield f"  供查，不计时 On file, no clock runs: {len(held)}"
    yield from _table((r.zh, _length(r), f"{KINDS[r.source.kind]}{MARKS[r.source.mark]}") for r in held)


def _during(terms: PlanTerms, rule: Rule) -> bool:
    return rule.from_on <= terms.plan.ends_on and (rule.until_on is None or rule.until_on >= terms.plan.starts_on)


def _length(rule: Rule) -> str:
    upper = f"–{rule.up_to:,}" if rule.up_to is not None else ""
    end = f"，末日 {rule.ends_at}" if rule.ends_at else ""
    return f"{rule.value:,}{upper} {UNITS[rule.unit]}{end}"


def _posts(terms: PlanTerms) -> Iterator[str]:
    yield "岗位 Posts"
    rows: list[tuple[str, ...]] = []
    for post in terms.plan.posts:
        held = [person for person in terms.people if person.post == post.code]
        names = [p.name for p in held] if len(held) <= 5 else [f"{len(held)} 人"]
        rows.append((f"{post.zh} {post.en}", "、".join(names) or "无人 nobody"))
    yield from _table(rows)
    several = [(p, _posts_of(terms, p)) for p in {person.person: person for person in terms.people}.values()]
    shown = "；".join(f"{p.name}（{'、'.join(posts)}）" for p, posts in several if len(posts) > 1)
    yield f"  一人多职 Several posts：{shown or '无 none'}"
    yield f"  上报 Ladder：{' → '.join('责任人' if r == 'handler' else terms.name('post', r) for r in terms.ladder)}"


def _posts_of(terms: PlanTerms, of: Person) -> list[str]:
    return [terms.name("post", person.post) for person in terms.people if person.person == of.person]


def _when(moment: datetime) -> str:
    """In town time; midnight is the end of the day before."""
    local = moment.astimezone(TOWN_TIME)
    hour = f"{local:%H:%M}"
    if hour == "00:00":
        local, hour = local - ONE_DAY, "24:00"
    return f"{local:%m-%d} {WEEKDAYS[local.weekday()]} {hour}"


def _table(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Columns side by side; a Chinese character takes two places."""
    rows = list(rows)
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
        yield "  " + "  ".join(cells)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
