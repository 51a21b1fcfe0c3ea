"""What the demo concludes from the logs: figures, faults, milestones, and the running checksum."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from services.simulation.logs import Fact, Logs
from services.simulation.milestones import MILESTONES, missing
from services.simulation.news import weeks
from services.simulation.outside import HookDesk, MailBox, Outside
from services.simulation.summary import faults, running_digest, undelivered
from shared.receiver import digest_after
from tests.support.plans import plan

AT = datetime(2018, 1, 29, 8, tzinfo=UTC)


def a_fact(kind: str, stream: str = "tip-1", version: int = 1, /, **facts: Any) -> Fact:
    """Of `kind`, with `facts` as its data; its own fields where `facts` name them."""
    own = {name: facts.pop(name) for name in ("occurred_at", "recorded_at", "in_role", "on_behalf_of") if name in facts}
    told: dict[str, Any] = {
        "occurred_at": AT,
        "recorded_at": AT,
        "in_role": "clerk@campaign_office",
        "on_behalf_of": None,
    } | own
    source = kind.split(".")[0]
    return Fact(source, 1, f"{stream}#{version}", f"{kind}.v1", stream, version, actor="p-1", data=facts, **told)


def logs_of(*facts: Fact) -> Logs:
    sources = ("intake", "cases", "reporting", "notify")
    return Logs({source: [fact for fact in facts if fact.source == source] for source in sources})


def reached(name: str, *facts: Fact, seen: frozenset[str] = frozenset()) -> bool:
    return MILESTONES[name](logs_of(*facts), plan(), set(seen))


def good() -> dict[str, Any]:
    pair = {"publisher": "aa", "consumer": "aa"}
    return {
        "reports_filed": 11, "parked": 0, "published": 7, "events": {"intake": 4, "cases": 3},
        "consumed": {"cases": {"intake": 4}}, "checksums": {"cases": {"intake": pair}},
    }  # fmt: skip


def test_good_figures_have_no_fault() -> None:
    assert faults(good(), plan()) == []


def test_each_wrong_figure_is_named() -> None:
    other = {"publisher": "aa", "consumer": "bb"}
    wrong: dict[str, Any] = {
        "parked": 2, "reports_filed": 10, "published": 6,
        "consumed": {"cases": {"intake": 3}}, "checksums": {"cases": {"intake": other}},
    }  # fmt: skip
    assert all(len(faults(good() | {name: value}, plan())) == 1 for name, value in wrong.items())
    assert len(faults(good() | wrong, plan())) == len(wrong)


def test_a_letter_that_went_out_and_did_not_arrive_is_a_fault() -> None:
    sent = a_fact("notify.message.attempt_succeeded", "message-1", channel="email", attempt=1)
    world = Outside(MailBox(), HookDesk(), "")
    assert undelivered(world, logs_of(sent)) == ["1 messages went out by email, 0 arrived"]
    world.mail.ids["<1@example.org>"] += 2
    assert undelivered(world, logs_of(sent)) == []


def test_the_checksum_is_the_receivers() -> None:
    start = hashlib.sha256(b"").digest()
    assert running_digest([]) == start.hex()
    assert running_digest(["a", "b"]) == digest_after(digest_after(start, "a"), "b").hex()
    assert running_digest(["b", "a"]) != running_digest(["a", "b"])


def test_nothing_happened_means_that_every_milestone_is_missing() -> None:
    assert missing(logs_of(), plan(), set()) == list(MILESTONES)


def test_a_live_call_answered_in_time_is_told_from_one_passed_up() -> None:
    name, other = "一分钟内呼叫值班人员并应答", "紧急呼叫无人应答而升级"
    tip = a_fact("intake.tip.received", live=True)
    call = a_fact("notify.message.issued", "message-1", kind="live_call_out", about="tip-1", step=0)
    up = a_fact("notify.message.escalated", "message-1", 2, to="x")
    answers = [a_fact("notify.message.acknowledged", "message-1", version) for version in (2, 3)]
    assert reached(name, tip, call, answers[0]) and not reached(other, tip, call, answers[0])
    assert reached(other, tip, call, up, answers[1]) and not reached(name, tip, call, up, answers[1])
    slow = a_fact(
        "notify.message.issued", "message-1", kind="live_call_out", about="tip-1", step=0,
        recorded_at=AT + timedelta(minutes=2),
    )  # fmt: skip
    assert not reached(name, tip, slow, answers[0])


def test_the_whole_chain_means_every_rung_in_order() -> None:
    name, rungs = (
        "逾期逐级升级到组长",
        ["village_head", "inspector", "office_director", "deputy_leader", "group_leader"],
    )
    overdue = a_fact("cases.hazard.became_overdue", "hazard-1")

    def told(*posts: str) -> list[Fact]:
        return [
            a_fact("notify.message.issued", f"message-{post}", kind="escalation", about="hazard-1", post=post)
            for post in posts
        ]

    assert reached(name, overdue, *told(*rungs))
    assert not reached(name, overdue, *told(*rungs[:-1]))
    assert not reached(name, overdue, *told(*reversed(rungs)))


def test_an_offline_patrol_counts_when_the_towns_report_of_its_week_was_restated() -> None:
    name = "二阶段离线巡查三阶段补传并重述周报"
    late = a_fact("intake.patrol.recorded", "patrol-1", offline=True, recorded_at=AT + timedelta(days=8))
    restated = a_fact("reporting.weekly_report.restated", "weekly_report-x", unit="town", period_no=3)
    assert reached(name, late, restated)
    assert not reached(name, late) and not reached(name, restated)
    at_once = a_fact("intake.patrol.recorded", "patrol-1", offline=True)
    assert not reached(name, at_once, restated)


def test_a_recurrence_links_both_hazards() -> None:
    again = a_fact("cases.hazard.listed", "hazard-2", recurrence_of="hazard-1")
    assert reached("死灰复燃", again, a_fact("cases.hazard.recurred", "hazard-1", hazard="hazard-2"))
    assert not reached("死灰复燃", again, a_fact("cases.hazard.recurred", "hazard-1", hazard="hazard-3"))


def test_the_weeks_fit_eighty_columns() -> None:
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(weeks(logs_of(a_fact("intake.tip.received")), plan()))
    said = console.export_text()
    assert "…" not in said and "重述" in said
    rows = [line.split() for line in said.splitlines() if line.strip()[:1].isdigit()]
    assert [(row[0], row[1], row[2]) for row in rows][:3] == [
        ("1", "01-19", "1"),
        ("2", "01-26", "1-2"),
        ("3", "02-02", "2-3"),
    ]
    assert rows[2][3] == "1" and len(rows) == 11
