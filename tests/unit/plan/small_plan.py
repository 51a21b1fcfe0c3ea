"""The smallest plan file that is sound, to be spoilt one line at a time."""

from pathlib import Path

from shared.plan.loader import PlanFileError, load_plan
from shared.plan.mistakes import Mistake, field_of

TEXT = """\
code: small-2019
version: 1
name: 小行动
name_en: A small drive
jurisdiction: 990101101
town: {zh: 小镇, en: Small town}
starts_on: 2019-03-04
ends_on: 2019-03-17
document:
  title: 小方案
  issuer: 小镇人民政府
  number:
  dated_on: 2019-03-01
  decision: 决定
  basis: [上级要求]
phases:
  - {code: first, zh: 一, en: one, starts_on: 2019-03-04, ends_on: 2019-03-10, duties: [{clause: 1.1, text: 摸底}]}
  - {code: second, zh: 二, en: two, starts_on: 2019-03-11, ends_on: 2019-03-17, duties: [{clause: 1.2, text: 整治}]}
special_periods:
  - {code: fair, zh: 庙会, en: fair, from_on: 2019-03-08, until_on: 2019-03-09}
calendar:
  - source: 2019年放假安排
    from_on: 2019-01-01
    until_on: 2019-12-31
    holidays:
      - {zh: 元旦, en: New Year's Day, from_on: 2019-01-01, until_on: 2019-01-01}
    extra_working_days:
      - 2019-02-02
    named_days:
      - {on: 2019-03-08, zh: 妇女节, en: Women's Day}
units:
  - {code: office, zh: 办公室, en: office}
  - {code: upper, zh: 上村, en: Upper village}
  - {code: lower, zh: 下村, en: Lower village}
villages:
  - {code: 990101101201, zh: 上村, en: Upper village, unit: upper, from_on: 2018-01-01}
  - {code: 990101101202, zh: 下村, en: Lower village, unit: lower, from_on: 2018-01-01}
posts:
  - {code: office_director, zh: 主任, en: director}
  - {code: village_head, zh: 村主任, en: village head}
people:
  - {assignment: c-1, person: r-1, name: 甲, post: office_director, unit: office,
     from_on: 2019-03-04, email: one@example.org, channels: [in_app, email]}
  - {assignment: c-2, person: r-2, name: 乙, post: village_head, unit: upper, village: 990101101201,
     from_on: 2019-03-04, channels: [in_app]}
ladder: [handler, village_head, office_director]
categories:
  - code: shaft
    zh: 井口
    en: shaft
    keepers: {territorial: village, departmental: office}
violations:
  - {code: digging, zh: 盗挖, en: digging}
measures:
  - {code: stop, zh: 制止, en: stop}
channels:
  - {code: web, zh: 网上, en: web, address: /tip, since: 2019-03-04}
forward_to:
  - {code: county, zh: 县局, en: county}
patrols:
  classes:
    - {code: key, zh: 重点, en: key}
  hours:
    - {code: night, zh: 夜间, en: night, from_at: 20:00, to_at: 06:00}
  frequencies:
    - {patrol_class: key, hours: night, times: 1, per: day, source: {kind: plan, text: 夜查, mark: found}}
  reasons:
    - {code: routine, zh: 日常, en: routine}
  handling:
    - {code: none_needed, zh: 无需处置, en: none needed}
reports:
  weekday: thursday
  cut_off_at: 17:00
  due_at: 18:00
  closing: {due_on: 2019-03-18, due_at: 12:00}
  units: [office, upper]
  figures:
    - {code: patrols, zh: 巡查, en: patrols, scopes: [unit, town]}
rules:
  - {code: live_call_out, zh: 呼叫, en: call, value: 1, unit: minutes, from_on: 2019-01-01,
     source: {kind: decision, text: 本办, mark: found}}
  - {code: live_ack, zh: 应答, en: answer, value: 10, unit: minutes, from_on: 2019-01-01,
     source: {kind: decision, text: 本办, mark: found}}
  - {code: verification_deadline, zh: 核实, en: verification, value: 3, unit: working_days, from_on: 2019-01-01,
     source: {kind: decision, text: 本办, mark: found}}
  - {code: longest_deadline, zh: 最长, en: longest, value: 30, unit: natural_days, from_on: 2019-01-01,
     source: {kind: decision, text: 本办, mark: found}}
  - {code: due_soon_before, zh: 提醒, en: reminder, value: 24, unit: hours, from_on: 2019-01-01,
     source: {kind: decision, text: 本办, mark: found}}
  - {code: escalation_step, zh: 上报, en: step, value: 24, unit: hours, from_on: 2019-01-01,
     source: {kind: decision, text: 本办, mark: found}}
  - {code: recurrence_watch, zh: 监视, en: watch, value: 12, unit: months, from_on: 2019-01-01,
     source: {kind: decision, text: 本办, mark: found}}
  - {code: report_remind_before, zh: 提醒, en: reminder, value: 24, unit: hours, from_on: 2019-01-01,
     source: {kind: decision, text: 本办, mark: found}}
  - {code: report_grace, zh: 宽限, en: grace, value: 3, unit: hours, from_on: 2019-01-01,
     source: {kind: decision, text: 本办, mark: found}}
  - {code: late_recorded_after, zh: 补录, en: late, value: 24, unit: hours, from_on: 2019-01-01,
     source: {kind: decision, text: 本办, mark: found}}
  - {code: fine, zh: 罚款, en: fine, value: 100, up_to: 300, unit: yuan, from_on: 2019-01-01, until_on: 2019-12-31,
     source: {kind: law, text: 某法, mark: likely}}
"""


def line_of(text: str, part: str) -> int:
    """The line, from 1, on which `part` stands first."""
    return text[: text.index(part)].count("\n") + 1


def mistakes_in(folder: Path, text: str) -> list[tuple[int, str, Mistake]]:
    """(line, field, mistake) of everything the loader has to say; empty for a sound file."""
    path = folder / "plan.yaml"
    path.write_text(text, "utf-8")
    try:
        load_plan(path)
    except PlanFileError as error:
        return [(line, field_of(m.at), m) for line, m in zip(error.lines, error.mistakes, strict=True)]
    return []


def spoilt(old: str, new: str) -> str:
    """The small plan with `old`, which stands there once, written as `new`."""
    assert TEXT.count(old) == 1, f"{old!r} stands {TEXT.count(old)} times"
    return TEXT.replace(old, new)
