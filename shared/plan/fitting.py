"""What must fit together within a plan whose parts have their shapes: codes that stand once and point to one another, people.

What must hold of its days stands in date_fitting.py, of its rules and report periods in rule_fitting.py.
"""

from collections.abc import Iterator, Sequence

from shared.plan.date_fitting import date_misfits
from shared.plan.mistakes import Loc, Mistake, near_miss
from shared.plan.model import Named, Plan
from shared.plan.rule_fitting import rule_misfits

HANDLER = "handler"
"""The ladder's word for whoever is responsible for an item."""
THE_VILLAGE = "village"
"""The keeper's word for the village a site lies in."""


def misfits(plan: Plan) -> Iterator[Mistake]:
    """Every contradiction, each at the field to change. Of rules and periods only when the days hold together."""
    dates = list(date_misfits(plan))
    yield from dates
    yield from _codes(plan)
    yield from _villages(plan)
    yield from _references(plan)
    yield from _people(plan)
    yield from _ladder(plan)
    if not dates:
        yield from rule_misfits(plan)


def _lists(plan: Plan) -> Iterator[tuple[Loc, Sequence[Named]]]:
    for name in (
        *("phases", "special_periods", "units", "villages", "posts", "categories", "minerals", "violations", "modus"),
        *("pretexts", "measures", "channels", "forward_to"),
    ):
        yield (name,), getattr(plan, name)
    for name in ("classes", "hours", "reasons", "handling"):
        yield ("patrols", name), getattr(plan.patrols, name)
    yield ("reports", "figures"), plan.reports.figures
    for n, category in enumerate(plan.categories):
        yield ("categories", n, "kinds"), category.kinds


def _codes(plan: Plan) -> Iterator[Mistake]:
    for at, entries in _lists(plan):
        yield from _repeated(at, [entry.code for entry in entries], ("code",))
    yield from _repeated(("reports", "units"), plan.reports.units)
    yield from _repeated(("people",), [person.assignment for person in plan.people], ("assignment",))
    if plan.town.code in {unit.code for unit in plan.units}:
        yield Mistake(
            ("town", "code"),
            f"{plan.town.code} 已是一个单位的代码。",
            f"{plan.town.code} is the code of a unit already.",
            "给全镇另起一个代码。",
            "give the town a code of its own.",
        )


def _repeated(at: Loc, codes: Sequence[str], tail: Loc = ()) -> Iterator[Mistake]:
    first: dict[str, int] = {}
    for n, code in enumerate(codes):
        if code in first:
            yield Mistake(
                (*at, n, *tail),
                f"{code} 在本清单中出现两次（另见第 {first[code] + 1} 项）。",
                f"{code} stands twice in this list; see entry {first[code] + 1}.",
                "改用另一个代码，或删去一项。",
                "use another code, or remove one of the two.",
            )
        first.setdefault(code, n)


def _villages(plan: Plan) -> Iterator[Mistake]:
    """Their codes lie within the town's, and each is a unit of its own."""
    owners: dict[str, str] = {}
    for n, village in enumerate(plan.villages):
        if not village.code.startswith(plan.jurisdiction):
            yield Mistake(
                ("villages", n, "code"),
                f"{village.zh}的代码 {village.code} 不以本镇的 {plan.jurisdiction} 开头。",
                f"{village.code} does not begin with the town's {plan.jurisdiction}.",
                "核对区划代码。",
                "check the division code.",
            )
        if village.unit in owners:
            yield Mistake(
                ("villages", n, "unit"),
                f"单位 {village.unit} 已属于 {owners[village.unit]}。",
                f"unit {village.unit} belongs to {owners[village.unit]} already.",
                "每个村（居）一个单位。",
                "give each village a unit of its own.",
            )
        owners.setdefault(village.unit, village.code)


def _references(plan: Plan) -> Iterator[Mistake]:
    """Codes that name an entry of another list."""
    units = [unit.code for unit in plan.units]
    classes, hours = [c.code for c in plan.patrols.classes], [h.code for h in plan.patrols.hours]
    named: list[tuple[Loc, str, Sequence[str], str, str]] = []
    for n, village in enumerate(plan.villages):
        named.append((("villages", n, "unit"), village.unit, units, "单位", "unit"))
    for n, unit in enumerate(plan.reports.units):
        named.append((("reports", "units", n), unit, units, "单位", "unit"))
    for n, category in enumerate(plan.categories):
        at: Loc = ("categories", n, "keepers")
        named.append(((*at, "territorial"), category.keepers.territorial, [THE_VILLAGE, *units], "单位", "unit"))
        named.append(((*at, "departmental"), category.keepers.departmental, units, "单位", "unit"))
    for n, wanted in enumerate(plan.patrols.frequencies):
        at = ("patrols", "frequencies", n)
        named.append(((*at, "patrol_class"), wanted.patrol_class, classes, "巡查区域", "patrol class"))
        named.append(((*at, "hours"), wanted.hours, hours, "时段", "kind of hours"))
    for where, code, known, zh, en in named:
        if code not in known:
            yield _unknown(where, code, known, zh, en)


def _people(plan: Plan) -> Iterator[Mistake]:
    posts, units = [post.code for post in plan.posts], [unit.code for unit in plan.units]
    villages = {village.code: village.unit for village in plan.villages}
    village_of = {unit: village for village, unit in villages.items()}
    known: dict[str, int] = {}
    for n, person in enumerate(plan.people):
        at: Loc = ("people", n)
        if person.post not in posts:
            yield _unknown((*at, "post"), person.post, posts, "岗位", "post")
        if person.unit not in units:
            yield _unknown((*at, "unit"), person.unit, units, "单位", "unit")
        if person.village is not None and person.village not in villages:
            yield _unknown((*at, "village"), person.village, list(villages), "村（居）", "village")
        elif person.unit in units and person.village != village_of.get(person.unit):
            belongs = village_of.get(person.unit)
            yield Mistake(
                (*at, "village"),
                f"单位 {person.unit} 与村（居）{person.village or '（未写）'} 不符。",
                f"unit {person.unit} and village {person.village or '(none)'} do not belong together.",
                f"village 写 {belongs}。" if belongs else "删去 village。",
                f"let village be {belongs}." if belongs else "remove village.",
            )
        if "email" in person.channels and person.email is None:
            yield Mistake(
                (*at, "channels"),
                f"{person.name}的通知方式有 email，但没有写邮箱。",
                f"{person.person} is told by e-mail and has no address.",
                "加上 email，或从 channels 中删去。",
                "add email, or take it out of channels.",
            )
        other = plan.people[known.setdefault(person.person, n)]
        if (other.name, other.email, other.phone) != (person.name, person.email, person.phone):
            yield Mistake(
                (*at, "person"),
                f"{person.person} 在第 {known[person.person] + 1} 项里姓名、邮箱或电话不同。",
                f"{person.person} has another name, e-mail or phone in entry {known[person.person] + 1}.",
                "同一人写法一致；不同的人用不同的 person。",
                "write the same person the same way; give another person another id.",
            )


def _ladder(plan: Plan) -> Iterator[Mistake]:
    posts = [HANDLER, *(post.code for post in plan.posts)]
    for n, rung in enumerate(plan.ladder):
        if rung not in posts:
            yield _unknown(("ladder", n), rung, posts, "岗位", "post")
        elif rung in plan.ladder[:n] or (rung == HANDLER and n):
            yield Mistake(
                ("ladder", n),
                f"{rung} 的位置不对：责任人只能在最前，岗位不能重复。",
                f"{rung} cannot stand here: the handler comes first, and no post comes twice.",
                "从下往上各写一次。",
                "list every rung once, the foot first.",
            )


def _unknown(at: Loc, code: str, known: Sequence[str], zh: str, en: str) -> Mistake:
    remedy_zh, remedy_en = near_miss(code, known)
    return Mistake(at, f"没有 {code} 这个{zh}。", f"there is no {en} {code}.", remedy_zh, remedy_en)
