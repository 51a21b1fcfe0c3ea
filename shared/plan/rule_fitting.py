"""What must hold of a plan's rules, and of the report periods that they and the schedule give."""

from collections.abc import Iterator
from itertools import pairwise

from shared.plan.mistakes import Loc, Mistake
from shared.plan.model import Plan, Rule
from shared.plan.terms import PlanTerms

FIXED = frozenset({"minutes", "hours", "natural_days"})
COUNTED = frozenset({"natural_days", "working_days", "unsaid_days", "months"})
TERM = FIXED | COUNTED

KEPT: dict[str, frozenset[str]] = {
    "live_call_out": frozenset({"minutes", "hours"}),
    "live_ack": frozenset({"minutes", "hours"}),
    "verification_deadline": TERM,
    "longest_deadline": FIXED,
    "due_soon_before": FIXED,
    "escalation_step": FIXED,
    "recurrence_watch": TERM,
    "report_remind_before": FIXED,
    "report_grace": FIXED,
    "late_recorded_after": FIXED,
}
"""Rules that the software keeps time by, and the units each may have. A plan must have every one of them."""
WHERE_GIVEN: dict[str, frozenset[str]] = {"informant_retention": TERM, "disclosure_opening": FIXED}
"""Likewise, where a plan has them. Without, nothing falls due for erasure, and no identity is opened."""


def kept_in(plan: Plan) -> list[str]:
    """The rules that the software keeps time by in this plan."""
    given = {row.code for row in plan.rules}
    return [*KEPT, *(code for code in WHERE_GIVEN if code in given)]


def rule_misfits(plan: Plan) -> Iterator[Mistake]:
    sound = True
    for mistake in (*_rows(plan), *_kept(plan)):
        sound = False
        yield mistake
    if sound:
        yield from _periods(plan)


def _rows(plan: Plan) -> Iterator[Mistake]:
    seen: dict[str, list[tuple[int, Rule]]] = {}
    for n, row in enumerate(plan.rules):
        at: Loc = ("rules", n)
        if row.until_on is not None and row.until_on < row.from_on:
            yield _wrong(
                (*at, "until_on"),
                f"{row.code} 的失效日期早于生效日期。",
                f"{row.code} ends before it begins.",
                "改正日期。",
                "correct the date.",
            )
        if row.up_to is not None and (row.up_to < row.value or row.unit in TERM):
            yield _wrong(
                (*at, "up_to"),
                f"{row.code} 的上限不对：只有标准有上限，且不小于 value。",
                f"{row.code} cannot have this upper end: only thresholds have one, and it is not below value.",
                "改正或删去 up_to。",
                "correct up_to, or remove it.",
            )
        if (row.ends_at is not None and row.unit not in COUNTED) or (row.rolls and row.unit != "natural_days"):
            name = "rolls" if row.rolls else "ends_at"
            yield _wrong(
                (*at, name),
                f"{name} 不能与单位 {row.unit} 同用。",
                f"{name} makes no sense with {row.unit}.",
                f"删去 {name}，或改用按日计算的单位。",
                f"remove {name}, or take a unit of days.",
            )
        for k, other in seen.get(row.code, []):
            if _together(row, other):
                yield _wrong(
                    (*at, "from_on"),
                    f"{row.code} 与第 {k + 1} 项的有效期重叠。",
                    f"{row.code} holds at the same time as entry {k + 1}.",
                    "给较早的一项写上 until_on，到新规定生效的前一日。",
                    "give the earlier one an until_on, the day before the new one begins.",
                )
        seen.setdefault(row.code, []).append((n, row))


def _together(a: Rule, b: Rule) -> bool:
    return (a.until_on is None or b.from_on <= a.until_on) and (b.until_on is None or a.from_on <= b.until_on)


def _kept(plan: Plan) -> Iterator[Mistake]:
    """Each rule the software keeps time by is in a unit that can be counted, from the first day on; what it needs is there."""
    for code, units in (KEPT | WHERE_GIVEN).items():
        rows = [(n, row) for n, row in enumerate(plan.rules) if row.code == code]
        if not rows and code in KEPT:
            yield _wrong(
                ("rules",),
                f"缺少规则 {code}。",
                f"rule {code} is missing.",
                f"加上 {code}，单位用 {'、'.join(sorted(units))} 之一。",
                f"add {code}, in {' or '.join(sorted(units))}.",
            )
        for n, row in rows:
            if units == FIXED and (row.ends_at is not None or row.rolls):
                yield _wrong(
                    ("rules", n, "ends_at" if row.ends_at is not None else "rolls"),
                    f"{code} 是固定长度，不能有 ends_at 或 rolls。",
                    f"{code} has a fixed length and can have neither ends_at nor rolls.",
                    "删去这一项。",
                    "remove it.",
                )
            if row.unit not in units:
                yield _wrong(
                    ("rules", n, "unit"),
                    f"{code} 不能以 {row.unit} 计。",
                    f"{code} cannot be counted in {row.unit}.",
                    f"改用 {'、'.join(sorted(units))}。",
                    f"use {' or '.join(sorted(units))}.",
                )
        rows.sort(key=lambda one: one[1].from_on)
        if rows and (rows[0][1].from_on > plan.starts_on or rows[-1][1].until_on is not None or _gap(rows)):
            yield _wrong(
                ("rules", rows[0][0], "from_on"),
                f"{code} 不是从 {plan.starts_on} 起一直有效。",
                f"{code} does not hold from {plan.starts_on} on without a gap.",
                f"从 {plan.starts_on} 或更早开始，首尾相接，最后一项不写 until_on。",
                f"let it begin on {plan.starts_on} or before, row after row, the last without until_on.",
            )


def _gap(rows: list[tuple[int, Rule]]) -> bool:
    return any(a.until_on is not None and (b.from_on - a.until_on).days > 1 for (_, a), (_, b) in pairwise(rows))


def _periods(plan: Plan) -> Iterator[Mistake]:
    """The reports cover the campaign from its first moment to its last, and each is due after its cut-off."""
    terms = PlanTerms(plan, plan.version)
    periods = terms.periods
    if len(periods) == 1:
        yield _wrong(
            ("reports", "weekday"),
            "行动期间没有一次周报截止日。",
            "no report is cut off during the campaign.",
            "改 weekday，或改行动日期。",
            "choose another weekday, or other days for the campaign.",
        )
    if any(p.starts_at >= p.cut_off_at for p in periods):
        yield _wrong(
            ("reports", "cut_off_at"),
            "有一期周报不包含任何时间。",
            "one of the reports would cover no time at all.",
            "改 cut_off_at 或 weekday，使首期和末期不为空。",
            "change cut_off_at or weekday, so that neither the first nor the last is empty.",
        )
    for period in periods:
        if period.due_at < period.cut_off_at:
            at: Loc = ("reports", "closing", "due_on") if period.closing else ("reports", "due_at")
            yield _wrong(
                at,
                "周报在截止统计之前就要报送。",
                "the report is due before it is cut off.",
                "改到截止统计之后。",
                "let it be due after the cut-off.",
            )
            return


def _wrong(at: Loc, zh: str, en: str, remedy_zh: str, remedy_en: str) -> Mistake:
    return Mistake(at, zh, en, remedy_zh, remedy_en)
