"""Every mistake in a plan file is named with its line, its field and a remedy, in Chinese and English."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.plan.loader import PlanFileError, load_plan
from tests.support.plans import REAL, SECOND, loaded
from tests.unit.plan.small_plan import TEXT, line_of, mistakes_in, spoilt


@dataclass(frozen=True)
class Spoiling:
    """`old`, which stands in the small plan, is written as `new`; then `field` is named, with `remedy` in its English remedy.

    The line is that of the change, or of `at` where the mistake shows elsewhere.
    """

    old: str
    new: str
    field: str
    remedy: str
    at: str = ""

    def line(self) -> int:
        text = spoilt(self.old, self.new)
        if self.at:
            return line_of(text, self.at)
        return next(
            n for n, pair in enumerate(zip(TEXT.splitlines(), text.splitlines(), strict=False), 1) if len({*pair}) > 1
        )


KEEPERS = "    keepers: {territorial: village, departmental: office}\n"
FAIR = "from_on: 2019-03-08, until_on: 2019-03-09"
OFFICE = "unit: lower, from_on: 2018-01-01"
SHAPE = [
    Spoiling("version: 1\n", "", "version", "add the line version: 1", at="code: small"),
    Spoiling(KEEPERS, "", "categories[1].keepers", "add the line keepers: {territorial: village", at="- code: shaft"),
    Spoiling("ladder: [handler", "laddar: [handler", "laddar", "did you mean ladder?"),
    Spoiling("  issuer: 小镇", "  isuer: 小镇", "document.isuer", "did you mean issuer?"),
    Spoiling("  number:\n", "  wholly_other: 1\n", "document.wholly_other", "the fields are title, issuer"),
    Spoiling("ends_on: 2019-03-17\nd", "ends_on: 2019-02-30\nd", "ends_on", "for example 2018-03-26"),
    Spoiling("value: 10, unit", "value: ten, unit", "rules[2].value", "for example 3"),
    Spoiling("value: 10, unit", "value: -10, unit", "rules[2].value", "for example 3"),
    Spoiling("code: digging", "code: Digging!", "violations[1].code", "for example abandoned_shaft"),
    Spoiling("code: 990101101201, zh", "code: 9901, zh", "villages[1].code", "for example 140181101207"),
    Spoiling("cut_off_at: 17:00", "cut_off_at: 5pm", "reports.cut_off_at", "for example 17:00"),
    Spoiling("weekday: thursday", "weekday: thirsday", "reports.weekday", "one of monday, tuesday"),
    Spoiling("measures:\n  - {code: stop, zh: 制止, en: stop}", "measures: []", "measures", "list at least one"),
    Spoiling("zh: 盗挖", "zh: ''", "violations[1].zh", "for example 废弃井口"),
    Spoiling("zh: 盗挖", "zh: ~", "violations[1].zh", "for example 废弃井口"),
    Spoiling("basis: [上级要求]", "basis: 上级要求", "document.basis", "for example [上级部署]"),
    Spoiling("town: {zh: 小镇, en: Small town}", "town: 小镇", "town", "for example {zh: 镇城底镇"),
    Spoiling(
        "    zh: 井口\n", "    zh: 井口\n    key: perhaps\n", "categories[1].key", "true or false", at="key: perhaps"
    ),
    Spoiling(
        "channels: [in_app]}",
        "channels: [in_app, pigeon]}",
        "people[2].channels[2]",
        "one of in_app, email",
        at="pigeon",
    ),
]
FIT = [
    Spoiling("ends_on: 2019-03-17\nd", "ends_on: 2019-03-01\nd", "ends_on", "2019-03-04 or later"),
    Spoiling("starts_on: 2019-03-11", "starts_on: 2019-03-12", "phases[2].starts_on", "let it begin on 2019-03-11"),
    Spoiling("starts_on: 2019-03-11", "starts_on: 2019-03-10", "phases[2].starts_on", "let it begin on 2019-03-11"),
    Spoiling("03-17, duties", "03-16, duties", "phases[2].ends_on", "let it end on 2019-03-17"),
    Spoiling("03-17, duties", "03-10, duties", "phases[2].ends_on", "let it end on 2019-03-11 or later"),
    Spoiling(FAIR, FAIR.replace("-03-", "-04-"), "special_periods[1].from_on", "correct the date"),
    Spoiling(FAIR, FAIR.replace("-03-", "-02-"), "special_periods[1].until_on", "correct the date"),
    Spoiling("until_on: 2019-03-09", "until_on: 2019-03-07", "special_periods[1].until_on", "2019-03-08 or later"),
    Spoiling("since: 2019-03-04", "since: 2019-03-18", "channels[1].since", "correct the date"),
    Spoiling("    until_on: 2019-12-31\n", "    until_on: 2019-03-10\n", "calendar", "State Council", at="calendar:"),
    Spoiling("    until_on: 2019-12-31\n", "    until_on: 2018-12-31\n", "calendar[1].until_on", "or later"),
    Spoiling("until_on: 2019-01-01}", "until_on: 2018-01-01}", "calendar[1].holidays[1].until_on", "or later"),
    Spoiling("      - 2019-02-02", "      - 2020-02-02", "calendar[1].extra_working_days[1]", "its own year"),
    Spoiling("      - 2019-02-02", "      - 2019-02-01", "calendar[1].extra_working_days[1]", "remove it here"),
    Spoiling("      - 2019-02-02", "      - 2019-01-01", "calendar[1].extra_working_days[1]", "remove it here"),
    Spoiling("code: second", "code: first", "phases[2].code", "use another code"),
    Spoiling("units: [office, upper]", "units: [office, office]", "reports.units[2]", "use another code"),
    Spoiling("assignment: c-2", "assignment: c-1", "people[2].assignment", "use another code"),
    Spoiling("town: {zh", "town: {code: office, zh", "town.code", "give the town a code"),
    Spoiling("code: 990101101202", "code: 990101102202", "villages[2].code", "check the division code"),
    Spoiling("unit: lower, from_on", "unit: upper, from_on", "villages[2].unit", "a unit of its own"),
    Spoiling(OFFICE, "unit: lower, from_on: 2019-03-05", "villages[2].from_on", "valid during the campaign"),
    Spoiling(OFFICE, f"{OFFICE}, until_on: 2019-03-16", "villages[2].until_on", "valid during the campaign"),
    Spoiling(OFFICE, f"{OFFICE}, until_on: 2017-03-16", "villages[2].until_on", "2018-01-01 or later"),
    Spoiling(OFFICE, "unit: lawer, from_on: 2018-01-01", "villages[2].unit", "did you mean lower?"),
    Spoiling("departmental: office}", "departmental: ofice}", "categories[1].keepers.departmental", "mean office?"),
    Spoiling("territorial: village", "territorial: vilage", "categories[1].keepers.territorial", "mean village?"),
    Spoiling("units: [office, upper]", "units: [office, uper]", "reports.units[2]", "did you mean upper?"),
    Spoiling("patrol_class: key", "patrol_class: kay", "patrols.frequencies[1].patrol_class", "did you mean key?"),
    Spoiling("hours: night, times", "hours: nite, times", "patrols.frequencies[1].hours", "did you mean night?"),
    Spoiling("post: village_head", "post: vilage_head", "people[2].post", "did you mean village_head?"),
    Spoiling("post: village_head", "post: xyz", "people[2].post", "the codes are office_director, village_head"),
    Spoiling("unit: office,", "unit: ofice,", "people[1].unit", "did you mean office?"),
    Spoiling("village: 990101101201", "village: 990101101209", "people[2].village", "did you mean 99010110120"),
    Spoiling(", village: 990101101201", "", "people[2].village", "let village be 990101101201"),
    Spoiling("unit: office,", "unit: office, village: 990101101201,", "people[1].village", "remove village"),
    Spoiling("email: one@example.org, ", "", "people[1].channels", "add email"),
    Spoiling("person: r-2", "person: r-1", "people[2].person", "give another person another id"),
    Spoiling("ladder: [handler, village_head", "ladder: [village_head, handler", "ladder[2]", "the foot first"),
    Spoiling("office_director]", "village_head]", "ladder[3]", "list every rung once"),
    Spoiling("ladder: [handler, village_head", "ladder: [handler, vilage_head", "ladder[2]", "mean village_head?"),
    Spoiling("code: live_ack,", "code: life_ack,", "rules", "add live_ack, in hours or minutes", at="rules:"),
    Spoiling("value: 3, unit: hours", "value: 3, unit: working_days", "rules[9].unit", "use hours or minutes"),
    Spoiling(
        "unit: months, from_on: 2019-01-01", "unit: months, from_on: 2019-03-05", "rules[7].from_on", "on 2019-03-04"
    ),
    Spoiling("unit: months,", "unit: months, until_on: 2019-12-31,", "rules[7].from_on", "the last without until_on"),
    Spoiling("unit: natural_days,", "unit: natural_days, ends_at: 18:00,", "rules[4].ends_at", "remove it"),
    Spoiling(
        "value: 10, unit: minutes,", "value: 10, unit: minutes, ends_at: 18:00,", "rules[2].ends_at", "a unit of days"
    ),
    Spoiling("unit: months,", "unit: months, rolls: true,", "rules[7].rolls", "take a unit of days"),
    Spoiling("up_to: 300", "up_to: 99", "rules[11].up_to", "correct up_to"),
    Spoiling("value: 10, unit", "value: 10, up_to: 20, unit", "rules[2].up_to", "correct up_to"),
    Spoiling("until_on: 2019-12-31,", "until_on: 2018-12-31,", "rules[11].until_on", "correct the date"),
    Spoiling("code: fine,", "code: live_ack,", "rules[11].from_on", "give the earlier one an until_on"),
    Spoiling(
        "weekday: thursday\n  cut_off_at: 17",
        "weekday: sunday\n  cut_off_at: 24",
        "reports.cut_off_at",
        "neither the",
        at="cut_o",
    ),
    Spoiling("due_at: 18:00", "due_at: 16:00", "reports.due_at", "due after the cut-off"),
    Spoiling("due_on: 2019-03-18", "due_on: 2019-03-17", "reports.closing.due_on", "due after the cut-off"),
]


def test_the_small_plan_and_the_shipped_ones_are_sound(tmp_path: Path) -> None:
    assert mistakes_in(tmp_path, TEXT) == []
    assert loaded(REAL).version == "zhenchengdi-2018@1"
    assert loaded(SECOND).version == "yunlinggou-2021@1"


@pytest.mark.parametrize("spoiling", [*SHAPE, *FIT], ids=lambda s: s.new.strip()[:30] or s.field)
def test_a_mistake_is_named_with_line_field_and_remedy(tmp_path: Path, spoiling: Spoiling) -> None:
    told = mistakes_in(tmp_path, spoilt(spoiling.old, spoiling.new))
    at_the_field = [(line, mistake) for line, field, mistake in told if field == spoiling.field]
    assert any(line == spoiling.line() and spoiling.remedy in m.remedy_en for line, m in at_the_field), told
    assert all(re.search("[一-鿿]", m.zh) and re.search("[一-鿿]", m.remedy_zh) for _, _, m in told)


YAML = [
    ("code: small-2019", "code: small-2019\ncode: other", "code", 2, "keep one of them"),
    ("ladder: [handler", "ladder: [[handler", "", line_of(TEXT, "categories:"), "look at the indentation"),
    ("  title: 小方案", "  title: &t 小方案", "", line_of(TEXT, "  title:"), "write the content out"),
    ("  title: 小方案", "  title: 小\x07方案", "", 1, "look at the indentation"),
]


@pytest.mark.parametrize(("old", "new", "field", "line", "remedy"), YAML)
def test_what_is_no_plain_yaml_is_named(tmp_path: Path, old: str, new: str, field: str, line: int, remedy: str) -> None:
    (told,) = mistakes_in(tmp_path, spoilt(old, new))
    assert (told[0], told[1]) == (line, field)
    assert remedy in told[2].remedy_en


def test_a_file_in_another_encoding_is_refused_at_the_line_where_it_shows(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_bytes(TEXT.encode("gb18030"))
    with pytest.raises(PlanFileError) as refused:
        load_plan(path)
    assert refused.value.lines == (line_of(TEXT, "小行动"),)
    assert "UTF-8" in str(refused.value)


def test_a_campaign_without_a_report_day_is_named(tmp_path: Path) -> None:
    days = {"2019-03-10, duties": "2019-03-05, duties", "2019-03-11": "2019-03-06", "2019-03-17": "2019-03-06"}
    text = TEXT.replace(FAIR, "from_on: 2019-03-05, until_on: 2019-03-06")
    for old, new in days.items():
        text = text.replace(old, new)
    ((line, field, mistake),) = mistakes_in(tmp_path, text)
    assert (line, field) == (line_of(text, "weekday: thursday"), "reports.weekday")
    assert "choose another weekday" in mistake.remedy_en


def test_an_empty_file_lacks_everything(tmp_path: Path) -> None:
    told = {field for _, field, _ in mistakes_in(tmp_path, "# nothing yet\n")}
    assert {"code", "phases", "rules", "reports"} <= told


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(
        TEXT.replace("post: village_head", "post: vilage_head").replace("code: live_ack", "code: x"), "utf-8"
    )
    with pytest.raises(PlanFileError) as refused:
        load_plan(path)
    text = str(refused.value)
    post, rules = (f"{path}:{line_of(TEXT, part)}: " for part in ("{assignment: c-2", "rules:"))
    assert text.splitlines()[0].endswith("2 mistakes in the plan file.")
    assert text.index(f"{post}people[2].post") < text.index(f"{rules}rules")
    assert "改法：是否想写 village_head？" in text and "Remedy: did you mean village_head?" in text


def test_a_plan_is_known_by_the_hash_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(TEXT, "utf-8")
    first = load_plan(path)
    path.write_text(TEXT + "# a remark\n", "utf-8")
    second = load_plan(path)
    assert first.plan == second.plan
    assert first.version == second.version == "small-2019@1"
    assert first.sha256 != second.sha256
