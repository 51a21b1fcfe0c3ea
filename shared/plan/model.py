"""A plan file as it stands: everything a campaign's plan says that is data. Shapes only; what must fit together is in fitting.py.

Codes are what events carry; `zh` and `en` are what people read. `*_on` are days in town time, both ends included; `*_at` are
hours of the town's clock, "00:00" to "24:00".
"""

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.contracts.event import Code, Id

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Hour = Annotated[str, StringConstraints(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]
Clause = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?$")]
Way = Literal["in_app", "email", "webhook"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
RuleUnit = Literal["minutes", "hours", "natural_days", "working_days", "unsaid_days", "months", "yuan", "times", "fold"]
"""unsaid_days: the rule does not say which days it means; both are reckoned, and the earlier one alarms."""


class Entry(BaseModel):
    """Any part of a plan file; a field that is not listed is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Named(Entry):
    """A code and its names."""

    code: Code = Field(examples=["abandoned_shaft"])
    zh: Text = Field(examples=["废弃井口"])
    en: Text = Field(examples=["abandoned shaft"])


class Quote(Entry):
    """One clause of the plan, word for word. `clause`: 4.2 is the second clause of part four."""

    clause: Clause = Field(examples=["4.2"])
    text: Text = Field(examples=["各有关单位要成立相应机构"])


class Document(Entry):
    """The plan as a paper. `number`: None when the paper bears none."""

    title: Text = Field(examples=["严厉打击非法违法采矿百日行动实施方案"])
    issuer: Text = Field(examples=["镇城底镇人民政府"])
    number: Text | None = None
    dated_on: date = Field(examples=["2018-01-16"])
    published_on: date | None = None
    decision: Text = Field(examples=["经研究决定"])
    basis: tuple[Text, ...] = Field(min_length=1, examples=["[上级部署]"])


class Town(Named):
    """`code`: what stands for a unit in the town's own reports."""

    code: Code = "town"


class Holiday(Entry):
    zh: Text = Field(examples=["春节"])
    en: Text = Field(examples=["Spring Festival"])
    from_on: date = Field(examples=["2018-02-15"])
    until_on: date = Field(examples=["2018-02-21"])


class NamedDay(Entry):
    on: date = Field(examples=["2018-02-16"])
    zh: Text = Field(examples=["正月初一"])
    en: Text = Field(examples=["Lunar New Year's Day"])


class CalendarYear(Entry):
    """What the State Council's notice says of `from_on` to `until_on`; other days are taken by their weekday."""

    source: Text = Field(examples=["国务院办公厅关于2018年部分节假日安排的通知"])
    from_on: date = Field(examples=["2018-01-01"])
    until_on: date = Field(examples=["2018-12-31"])
    holidays: tuple[Holiday, ...] = ()
    extra_working_days: tuple[date, ...] = ()
    named_days: tuple[NamedDay, ...] = ()


class SpecialPeriod(Named):
    """Days on which guard and patrols are heightened. `mark`: how sure the dates are."""

    from_on: date = Field(examples=["2018-03-03"])
    until_on: date = Field(examples=["2018-03-20"])
    mark: Literal["found", "likely", "unsure"] = "found"


class Phase(Named):
    starts_on: date = Field(examples=["2018-01-16"])
    ends_on: date = Field(examples=["2018-01-20"])
    duties: tuple[Quote, ...] = Field(min_length=1, examples=['[{clause: 4.2, text: "…"}]'])


class Unit(Named):
    """`external`: belongs to a higher level; it takes part and is not the town's."""

    external: bool = False


class Village(Named):
    """`code`: 12-digit division code, valid from `from_on` to `until_on`; `unit`: the village as a participating unit."""

    code: Annotated[Code, StringConstraints(pattern=r"^[0-9]{12}$")] = Field(examples=["140181101207"])
    unit: Code = Field(examples=["dulan"])
    from_on: date = Field(examples=["2016-01-01"])
    until_on: date | None = None


class Post(Named):
    """`clause`: where the plan speaks of it; None when the software needs it and the plan is silent."""

    clause: Clause | None = None


class Person(Entry):
    """One appointment: `person` holds `post` in `unit`. Whoever holds two posts stands here twice, with two assignments."""

    assignment: Id = Field(examples=["a-village_head-dulan"])
    person: Id = Field(examples=["p-village_head-dulan"])
    name: Text = Field(examples=["甲某"])
    post: Code = Field(examples=["village_head"])
    unit: Code = Field(examples=["dulan"])
    village: Code | None = None
    from_on: date = Field(examples=["2018-01-16"])
    until_on: date | None = None
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    phone: Text | None = None
    channels: tuple[Way, ...] = Field(min_length=1, examples=["[in_app]"])


class Keepers(Entry):
    """Who answers for sites of a category: `territorial` is the village they lie in, or a unit; `departmental` a unit."""

    territorial: Code = Field(examples=["village"])
    departmental: Code = Field(examples=["safety_office"])


class Category(Named):
    """A kind of site or area. `key`: the plan names it a point of emphasis. `kinds`: finer codes within it."""

    clause: Clause | None = None
    key: bool = False
    keepers: Keepers = Field(examples=["{territorial: village, departmental: safety_office}"])
    kinds: tuple[Named, ...] = ()


class Channel(Named):
    """A published way to send a tip, open since the day `since`."""

    address: Text = Field(examples=["见镇、村公告栏"])
    since: date = Field(examples=["2018-01-16"])

    @property
    def name(self) -> str:
        return self.zh


class Source(Entry):
    """Where a rule comes from. kind: law, the plan itself, practice elsewhere, or a decision of this office.

    mark: found in a source that was read; likely, from memory; unsure: check before relying on it.
    """

    kind: Literal["law", "plan", "practice", "decision"] = Field(examples=["decision"])
    text: Text = Field(examples=["领导组办公室设定"])
    clause: Text | None = None
    mark: Literal["found", "likely", "unsure"] = Field(examples=["found"])


class Rule(Named):
    """A term or a threshold as it held from `from_on` to `until_on`. `up_to`: the upper end, where a range is left to others.

    ends_at: a term of days ends at that hour of its last day; without it, at the hour it began.
    rolls: natural days whose last one is a holiday end on the next working day.
    effect: what follows, for a threshold.
    """

    value: int = Field(ge=0, examples=["3"])
    up_to: int | None = None
    unit: RuleUnit = Field(examples=["working_days"])
    ends_at: Hour | None = None
    rolls: bool = False
    effect: Text | None = None
    from_on: date = Field(examples=["2018-01-16"])
    until_on: date | None = None
    source: Source = Field(examples=["{kind: decision, text: 领导组办公室设定, mark: found}"])


class PatrolHours(Named):
    from_at: Hour = Field(examples=["20:00"])
    to_at: Hour = Field(examples=["06:00"])


class PatrolFrequency(Entry):
    """At least `times` patrols per `per`, in an area of the class and within the hours."""

    patrol_class: Code = Field(examples=["key"])
    hours: Code = Field(examples=["night"])
    times: int = Field(ge=1, examples=["1"])
    per: Literal["day", "week", "month"] = Field(examples=["day"])
    source: Source = Field(examples=["{kind: decision, text: 领导组办公室设定, mark: found}"])


class Patrols(Entry):
    classes: tuple[Named, ...] = Field(min_length=1, examples=["[{code: key, zh: 重点, en: key}]"])
    hours: tuple[PatrolHours, ...] = ()
    frequencies: tuple[PatrolFrequency, ...] = ()
    reasons: tuple[Named, ...] = Field(min_length=1, examples=["[{code: routine, zh: 日常, en: routine}]"])
    handling: tuple[Named, ...] = Field(min_length=1, examples=["[{code: none_needed, zh: 无需处置, en: none needed}]"])


class Closing(Entry):
    """The report on the days after the last cut-off."""

    due_on: date = Field(examples=["2018-03-27"])
    due_at: Hour = Field(examples=["12:00"])


class Figure(Named):
    """A number of the report; `scopes`: in a unit's report, in the town's, or in both."""

    scopes: tuple[Literal["unit", "town"], ...] = Field(min_length=1, examples=["[unit, town]"])


class Reports(Entry):
    """One report a week from each of `units`, cut off on `weekday`; holidays move neither cut-off nor due time."""

    weekday: Weekday = Field(examples=["friday"])
    cut_off_at: Hour = Field(examples=["17:00"])
    due_at: Hour = Field(examples=["18:00"])
    closing: Closing = Field(examples=['{due_on: 2018-03-27, due_at: "12:00"}'])
    units: tuple[Code, ...] = Field(min_length=1, examples=["[dulan, police_station]"])
    figures: tuple[Figure, ...] = Field(
        min_length=1, examples=["[{code: patrols, zh: 巡查次数, en: patrols, scopes: [unit]}]"]
    )


class Plan(Entry):
    """A whole plan file. `version` changes with every change of the file."""

    code: Code = Field(examples=["zhenchengdi-2018"])
    version: Id = Field(examples=["1"])
    name: Text = Field(examples=["百日行动"])
    name_en: Text = Field(examples=["The hundred-day campaign"])
    jurisdiction: Code = Field(examples=["140181101"])
    town: Town = Field(examples=["{zh: 镇城底镇, en: Zhenchengdi}"])
    starts_on: date = Field(examples=["2018-01-16"])
    ends_on: date = Field(examples=["2018-03-26"])
    document: Document
    goals: tuple[Quote, ...] = ()
    organisation: tuple[Quote, ...] = ()
    tasks: tuple[Quote, ...] = ()
    phases: tuple[Phase, ...] = Field(min_length=1)
    requirements: tuple[Quote, ...] = ()
    special_periods: tuple[SpecialPeriod, ...] = ()
    calendar: tuple[CalendarYear, ...] = Field(min_length=1)
    units: tuple[Unit, ...] = Field(min_length=1)
    villages: tuple[Village, ...] = Field(min_length=1)
    posts: tuple[Post, ...] = Field(min_length=1)
    people: tuple[Person, ...] = Field(min_length=1)
    ladder: tuple[Code, ...] = Field(min_length=1, examples=["[handler, village_head, office_director, group_leader]"])
    categories: tuple[Category, ...] = Field(min_length=1)
    minerals: tuple[Named, ...] = ()
    violations: tuple[Named, ...] = Field(min_length=1)
    modus: tuple[Named, ...] = ()
    pretexts: tuple[Named, ...] = ()
    measures: tuple[Named, ...] = Field(min_length=1)
    channels: tuple[Channel, ...] = Field(min_length=1)
    forward_to: tuple[Named, ...] = Field(min_length=1)
    patrols: Patrols
    reports: Reports
    rules: tuple[Rule, ...] = Field(min_length=1)
