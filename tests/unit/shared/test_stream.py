"""The one definition of a stream, and how events are named on it."""

from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType

from shared.stream import LINEAGE, definition, stream_name, subject_of


def test_the_town_leads_the_subject_and_the_service_the_name() -> None:
    assert stream_name("140181101", "intake") == "INTAKE_140181101"
    assert subject_of("140181101", "cases.hazard.listed.v1") == "140181101.cases.hazard.listed.v1"


def test_a_stream_is_a_mirror_that_nobody_may_edit() -> None:
    config = definition("cases", "140181101", 501, 300, "lineage")
    assert config.subjects == ["140181101.cases.>"]
    assert (config.first_seq, config.max_msgs) == (501, 300)
    assert (config.deny_delete, config.deny_purge) == (True, True)
    assert (config.allow_atomic, config.allow_direct) == (True, True)
    assert (config.discard, config.retention) == (DiscardPolicy.OLD, RetentionPolicy.LIMITS)
    assert config.storage == StorageType.FILE
    assert config.metadata == {LINEAGE: "lineage"}


def test_without_a_limit_it_keeps_everything() -> None:
    assert definition("cases", "140181101", 1, None, "lineage").max_msgs == -1
