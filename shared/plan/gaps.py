"""What a plan that can be used still leaves open: nobody in a post, figures to be checked, days no calendar speaks of."""

from collections.abc import Iterator
from datetime import timedelta

from shared.plan.calendar import town_day
from shared.plan.rule_fitting import WHERE_GIVEN, kept_in
from shared.plan.terms import PlanTerms

Gap = tuple[str, str]
"""(Chinese, English), one line each."""


WITHOUT: dict[str, Gap] = {
    "informant_retention": (
        "没有规定举报人信息的保存期限（informant_retention），到期清单为空。",
        "No term for keeping informants' data (informant_retention): nothing falls due for erasure.",
    ),
    "disclosure_opening": (
        "没有规定查看举报人身份的有效期（disclosure_opening），不能批准查看。",
        "No term for using an approval to open an identity (disclosure_opening): none can be approved.",
    ),
}
"""What does not work when a plan leaves a rule out that it need not have."""


def gaps(terms: PlanTerms) -> Iterator[Gap]:
    yield from _people(terms)
    yield from _figures_of_law(terms)
    yield from _calendar(terms)


def _people(terms: PlanTerms) -> Iterator[Gap]:
    held = {person.post for person in terms.people}
    for post in terms.plan.posts:
        if post.code not in held:
            yield f"{post.zh}无人担任。", f"Nobody holds the post {post.code}."
    for wanted in ("designated_reporter",):
        units = {person.unit for person in terms.people if person.post == wanted}
        missing = [unit for unit in terms.reporting_units if unit not in units]
        if missing:
            named = "、".join(terms.name("unit", unit) for unit in missing)
            yield f"没有{terms.name('post', wanted)}：{named}。", f"No {wanted}: {', '.join(missing)}."
    for wanted in ("village_head", "keeper"):
        villages = {person.village for person in terms.people if person.post == wanted}
        bare = [village for village in terms.plan.villages if village.code not in villages]
        if bare and terms.knows("post", wanted):
            named = "、".join(village.zh for village in bare)
            yield f"没有{terms.name('post', wanted)}：{named}。", f"No {wanted}: {', '.join(v.unit for v in bare)}."


def _figures_of_law(terms: PlanTerms) -> Iterator[Gap]:
    kept = kept_in(terms.plan)
    for code, (zh, en) in WITHOUT.items():
        if code in WHERE_GIVEN and code not in kept:
            yield zh, en
    for rule in (terms.rule(code, terms.starts_at) for code in kept):
        if rule.source.mark != "found":
            yield f"须核对：{rule.zh}（{rule.source.text}）。", f"To be checked: {rule.code}."
    ranges = [rule for rule in terms.plan.rules if rule.up_to is not None and rule.until_on is None]
    if ranges:
        named = "、".join(rule.zh for rule in ranges)
        yield f"幅度内的具体数额待定，暂按下限提示：{named}。", "Figure within the range not settled; the floor warns."
    for special in terms.plan.special_periods:
        if special.mark != "found":
            yield f"须核对起止日期：{special.zh}。", f"Dates to be checked: {special.code}."


def _calendar(terms: PlanTerms) -> Iterator[Gap]:
    last = town_day(terms.recurrence_watch_until - timedelta(microseconds=1))
    if not terms.calendar.covers(last):
        until = max(year.until_on for year in terms.plan.calendar)
        yield (
            f"日历只到 {until}，之后的工作日按星期推算。",
            f"No calendar speaks of days after {until}; they are taken by their weekday.",
        )
