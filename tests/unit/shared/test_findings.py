"""What calls for a person, and with which command; what does not is not mentioned."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared import findings
from shared.findings import Finding
from shared.log_feed import FeedHead
from shared.status import Follower, Look, Mark, Stream, followers_of, newest_step
from shared.trail import Trail

NOW = datetime(2018, 2, 1, tzinfo=UTC)
MINE, THEIRS = uuid4(), uuid4()
WELL = Look(
    service="reporting",
    at=NOW,
    skew=0.01,
    postgres="18.6",
    size=1,
    step=newest_step(),
    sessions=1,
    head=20,
    lineage=MINE,
    lineage_since=NOW,
    ancestors={},
    sequenced_at=NOW,
    pending=3,
    pending_since=NOW - timedelta(seconds=1),
    parked=0,
    queued=0,
    parked_since=None,
    dismissed=4,
    unsent=2,
    unsent_late=0,
    unsent_since=None,
    dead=9,
    dead_lately=0,
    timers_late=0,
    timers_since=None,
    timers_failed=0,
    marks=(
        Mark("receiver", "cases", THEIRS, 10),
        Mark("projection:facts", "cases", THEIRS, 8),
        Mark("reactions", "reporting", MINE, 20),
    ),
)


def found(town: str = "", **changes: Any) -> list[Finding]:
    return list(findings.of_database(replace(WELL, **changes), NOW, town))


def test_work_under_way_and_what_was_settled_long_ago_call_for_nobody() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("kind", "changes", "command"),
    [
        ("SchemaOld", {"step": "0001"}, "minewatch migrate"),
        ("ServiceDown", {"sessions": 0}, "minewatch serve reporting"),
        (
            "HeadStandsStill",
            {"pending_since": NOW - timedelta(seconds=11)},
            "minewatch serve reporting --only sequencer",
        ),
        ("EventsParked", {"parked": 1}, "minewatch parked list reporting"),
        ("EventsParked", {"queued": 1}, "minewatch parked list reporting"),
        ("DeliveryDead", {"dead_lately": 1}, None),
        ("DeliveriesWait", {"unsent_late": 1}, "minewatch serve reporting --only jobs"),
        ("TimerFailed", {"timers_failed": 1}, "minewatch timers list reporting"),
        ("TimerOverdue", {"timers_late": 1}, "minewatch serve reporting --only timers"),
        ("ClockSkew", {"skew": 5.1}, None),
        ("ClockSkew", {"skew": -5.1}, None),
    ],
)
def test_each_trouble_is_named_with_its_remedy(kind: str, changes: dict[str, Any], command: str | None) -> None:
    [one] = found(**changes)
    assert (one.kind, one.command) == (kind, command)
    assert one.zh and one.en


def test_a_town_in_a_folder_is_started_whole_and_looked_at_with_its_folder() -> None:
    [down] = found(" --data ./t", sessions=0)
    [parked] = found(" --data ./t", parked=1)
    [still] = found(" --data ./t", timers_late=1)
    assert down.command == still.command == "minewatch up --data ./t"
    assert parked.command == "minewatch parked list reporting --data ./t"


def test_a_newer_schema_than_the_program_knows_is_not_called_old() -> None:
    assert found(step="9999") == []


# ---------------------------------------------------------------------------------------------------- sources


def of_source(lineage: UUID, position: int, shared: int | None = None) -> list[Finding]:
    """`shared`: up to where its present past is one with the one that was received."""
    ancestors = {} if shared is None else {THEIRS: shared}
    return list(findings.of_sources(WELL, {"cases": FeedHead(lineage, position, ancestors)}))


def test_a_source_that_went_on_or_did_not_answer_is_no_trouble() -> None:
    assert of_source(THEIRS, 10) == of_source(THEIRS, 50) == []
    assert list(findings.of_sources(WELL, {})) == []


def test_a_source_restored_before_what_was_received_and_silent_about_it_must_say_so() -> None:
    [one] = of_source(THEIRS, 9)
    assert (one.kind, one.command) == ("HistoryDiffers", "minewatch restore cases --new-lineage")
    [stranger] = of_source(uuid4(), 50)
    assert stranger.command == "minewatch restore cases --new-lineage"


def test_a_source_that_said_so_is_followed_or_its_new_past_must_be_accepted() -> None:
    assert of_source(uuid4(), 50, shared=10) == []
    [one] = of_source(uuid4(), 50, shared=9)
    assert (one.kind, one.command) == ("HistoryDiffers", "minewatch accept-lineage reporting cases")


# ---------------------------------------------------------------------------------------- stream and followers


def a_stream(last: int, differs: str | None = None) -> Stream:
    return Stream(first=1, last=last, messages=last, size=1, differs=differs)


def of_stream(stream: Stream | None, stands_still: bool) -> list[tuple[str, str | None]]:
    return [(one.kind, one.command) for one in findings.of_stream(WELL, stream, stands_still)]


def test_a_stream_that_is_behind_is_in_trouble_only_when_it_stands_still() -> None:
    behind = [("StreamBehind", "minewatch serve reporting --only relay")]
    assert of_stream(a_stream(19), False) == of_stream(None, False) == []
    assert of_stream(a_stream(19), True) == of_stream(None, True) == behind
    assert of_stream(a_stream(20), True) == []


def test_a_stream_of_another_past_is_in_trouble_at_once() -> None:
    assert of_stream(a_stream(20, "leaf"), False) == [("HistoryDiffers", "minewatch restore reporting --new-lineage")]


def test_a_follower_is_measured_against_what_it_can_walk() -> None:
    heads = {"cases": FeedHead(THEIRS, 15)}
    behind = {(f.follower, f.source): f.behind for f in followers_of(WELL, heads)}
    assert behind == {("receiver", "cases"): 5, ("projection:facts", "cases"): 2, ("reactions", "reporting"): 0}
    assert followers_of(WELL, {})[0].behind is None


def test_a_follower_that_stands_still_is_named_with_its_part() -> None:
    kinds = findings.of_followers(
        "reporting", [Follower("receiver", "cases", 10, 5), Follower("reactions", "cases", 8, 2)]
    )
    assert [(one.kind, one.command) for one in kinds] == [
        ("FollowerLags", "minewatch serve reporting --only receiver"),
        ("FollowerLags", "minewatch serve reporting --only follower"),
    ]


def test_a_part_that_stopped_says_why() -> None:
    [one] = findings.of_parts({"relay": "history differs"})
    assert one.kind == "PartStopped" and "relay" in one.en and "history differs" in one.zh


SIGNED = Trail(signer=True, size=20, signed_at=NOW, quorum=20, quorum_age=5.0)


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({}, []),
        ({"unsigned_for": 59.0}, []),
        ({"unsigned_for": 61.0}, ["CheckpointBehind"]),
        ({"signer": False, "size": 0, "signed_at": None, "quorum": None, "quorum_age": None}, []),
        ({"quorum": None, "quorum_age": None}, []),
        ({"quorum": 10, "quorum_age": 599.0}, []),
        ({"quorum": 10, "quorum_age": 601.0}, ["QuorumNotMet"]),
        ({"quorum": 20, "quorum_age": 9999.0}, []),
        ({"quorum": 0, "quorum_age": None}, ["QuorumNotMet"]),
        ({"policy_error": "policy: line 3"}, ["PolicyUnread"]),
    ],
)
def test_a_log_that_is_not_signed_in_time_or_not_by_enough_is_a_trouble(
    changes: dict[str, Any], kinds: list[str]
) -> None:
    found = list(findings.of_trail(replace(SIGNED, **changes)))
    assert [one.kind for one in found] == kinds
