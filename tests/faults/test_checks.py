"""Every check is quiet about a sound town, and names the fault that is put into a copy of it: one doctored thing at a time."""

import copy
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.faults import checks_record, checks_work
from tests.faults.checks import check_all, compare
from tests.faults.doctoring import DOCTORED, Doctored
from tests.faults.mail import Taken
from tests.faults.records import Mirror, Records, read_all
from tests.faults.small_town import SmallTown, a_small_town
from tests.faults.town import Restore
from tests.support.kernel import Templates
from tests.support.servers import NatsAddress, PostgresAddress
from tests.support.services import Ground

NEEDED = {"assignment", "overdue", "acceptance_wanted", "live_call_out", "report_opened"}


@pytest.fixture(scope="module")
async def small(
    postgres_server: PostgresAddress, nats_server: NatsAddress, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SmallTown]:
    """It has worked until there is all that will be doctored, then everything was halted; nobody changes it but in a copy."""
    folder = tmp_path_factory.mktemp("signing")
    async with a_small_town(Ground(Templates(postgres_server), nats_server), folder) as made:
        while not await made.told() >= NEEDED:
            await made.works(40)
        await made.halt()
        yield made


@pytest.fixture(scope="module")
async def records(small: SmallTown) -> Records:
    return await read_all(small)


def without(mirror: Mirror, positions: set[int]) -> Mirror:
    return dataclasses.replace(mirror, messages={n: m for n, m in mirror.messages.items() if n not in positions})


def named(wrong: Iterable[str], check: str, words: str) -> None:
    """Some line of `check` says `words`."""
    lines = list(wrong)
    assert any(line.startswith(f"{check}: ") and words in line for line in lines), lines


async def test_a_sound_town_is_found_sound_and_has_something_to_check(small: SmallTown, records: Records) -> None:
    assert await check_all(small, small.ledger, small.mailbox) == []
    for name, book in records.books.items():
        assert len(book.log) > 20 and len(records.mirrors[name].messages) == len(book.log)
    counts = small.ledger.counts()
    assert counts["acknowledged"] > 60 and counts["refused"] > 0 and "unknown" not in counts
    assert len(small.mailbox.taken) > 10


@pytest.mark.parametrize("doctored", DOCTORED, ids=lambda one: one.name)
async def test_a_check_names_what_was_doctored(small: SmallTown, records: Records, doctored: Doctored) -> None:
    named(await small.wrong(records, doctored.service, doctored.statement), doctored.check, doctored.words)


async def test_a_message_that_is_missing_is_named_unless_it_was_deleted_on_purpose(
    small: SmallTown, records: Records
) -> None:
    mirror = records.mirrors["intake"]
    some = {sequence: message for sequence, message in mirror.messages.items() if sequence not in (7, 9)}
    holed = dataclasses.replace(records, mirrors={"intake": dataclasses.replace(mirror, messages=some)})
    holed.books = {"intake": records.books["intake"]}
    small.gone.add(7)
    named(checks_record.stream(holed, small), "stream", "1 positions are missing, the first 9")
    small.gone.add(9)
    assert list(checks_record.stream(holed, small)) == []
    small.gone.clear()


async def test_a_stream_that_ends_too_early_begins_too_late_or_is_gone_is_named(
    small: SmallTown, records: Records
) -> None:
    mirror = records.mirrors["intake"]
    for changed, words in (
        (dataclasses.replace(mirror, last=mirror.last - 1), f"ends at {mirror.last - 1}"),
        (dataclasses.replace(mirror, made_from=5), "was made from 5 on"),
        (without(mirror, {1, 2, 3}), "3 positions are missing, the first 1"),
    ):
        other = dataclasses.replace(records, mirrors={**records.mirrors, "intake": changed})
        named(checks_record.stream(other, small), "stream", words)
    named(checks_record.stream(dataclasses.replace(records, mirrors={}), small), "stream", "there is none")


async def test_a_stream_that_keeps_some_holds_the_last_of_them_unless_they_were_purged(
    small: SmallTown, records: Records
) -> None:
    mirror = records.mirrors["intake"]
    few, first = copy.copy(small), mirror.last - 9
    few.gone = set()
    few.stream_keep = lambda service: 10  # type: ignore[method-assign]

    def wrong(mirror: Mirror) -> list[str]:
        books = {"intake": records.books["intake"]}
        return list(checks_record.stream(dataclasses.replace(records, books=books, mirrors={"intake": mirror}), few))

    assert wrong(mirror) == wrong(dataclasses.replace(without(mirror, set(range(first))), made_from=first)) == []
    named(wrong(without(mirror, {*range(first + 2)})), "stream", f"2 positions are missing, the first {first}")
    named(wrong(dataclasses.replace(mirror, made_from=first + 1)), "stream", f"was made from {first + 1} on")
    few.gone |= {first, first + 1}
    assert wrong(without(mirror, {*range(first + 2)})) == []


async def test_a_command_that_was_refused_or_broken_off_must_have_left_nothing_by_halves(
    small: SmallTown, records: Records
) -> None:
    sent = next(s for s in small.ledger.sent.values() if s.act == "walks" and s.outcome == "acknowledged" and s.events)
    ledger = dataclasses.replace(small.ledger, sent={**small.ledger.sent}, broken=Counter())

    def wrong(**changes: object) -> list[str]:
        ledger.sent[sent.command] = dataclasses.replace(sent, **changes)  # type: ignore[arg-type]
        return compare(records, small, ledger, small.mailbox)

    named(wrong(outcome="refused", rule="PatrolNeedsRoute"), "commands", "PatrolNeedsRoute, but intake")
    named(wrong(outcome="unknown", whole=(("patrol.recorded", "patrol.corrected"),)), "commands", "not the whole of it")
    named(wrong(events=()), "commands", "the answer did not name intake")
    assert wrong(outcome="unknown") == []
    ledger.broken["walks: what?"] += 2
    named(wrong(), "commands", "2 times an answer of status 500: walks: what?")


async def test_what_a_restore_took_away_is_not_missed(small: SmallTown, records: Records) -> None:
    sent = next(s for s in small.ledger.of("intake") if s.outcome == "acknowledged" and s.events)
    gone = dataclasses.replace(sent, command=uuid4(), events=(uuid4(),))
    ledger = dataclasses.replace(small.ledger, sent={**small.ledger.sent, gone.command: gone})
    named(compare(records, small, ledger, small.mailbox), "commands", "1 of 1 events are not in the log")
    restore = Restore("intake", 1, uuid4(), uuid4(), frozenset(gone.events), datetime.now(UTC))
    restored = dataclasses.replace(records, restores=[restore])
    assert compare(restored, small, ledger, small.mailbox) == []


async def test_what_signer_or_witness_remember_otherwise_than_the_record_is_named(
    small: SmallTown, records: Records
) -> None:
    signing = records.signing
    assert signing is not None
    (origin, size), root = max(signing.signed.items(), key=lambda each: each[0][1])
    assert signing.cosigned[origin] == (size, root)

    def wrong(**changes: object) -> list[str]:
        changed = dataclasses.replace(signing, **changes)  # type: ignore[arg-type]
        return compare(dataclasses.replace(records, signing=changed), small, small.ledger, small.mailbox)

    other, more = {**signing.signed, (origin, size): b"?" * 32}, {**signing.signed, (origin, size + 1): root}
    named(wrong(signed=other), "signed", f"the checkpoint of {size} in lineage {origin.split('/')[2]} is not what")
    named(wrong(signed=other), "signed", f"the witness signed {size} events of it, which the signer never did")
    named(wrong(signed=more), "signed", f"the signer signed {size + 1} events of it, which are not the log's {size}")
    ahead = {**signing.cosigned, origin: (size + 1, root)}
    named(wrong(signed=more, cosigned=ahead), "signed", f"ahead: it signed {size + 1} events, the log has {size}")
    named(wrong(refused=("what?",)), "signed", "what contradicts what was signed: what?")
    named(wrong(signer=bytes(32)), "signed", "has no line of the signer")
    assert wrong() == [] == compare(dataclasses.replace(records, signing=None), small, small.ledger, small.mailbox)


async def test_letters_that_are_nobodys_or_too_many_or_never_came_are_named(small: SmallTown, records: Records) -> None:
    first, *others = small.mailbox.taken

    def wrong(*taken: Taken) -> list[str]:
        return compare(records, small, small.ledger, dataclasses.replace(small.mailbox, taken=list(taken)))

    stranger = Taken(f"{uuid4()}@minewatch.example.org", "clerk-1@example.org")
    named(wrong(first, *others, stranger), "mail", "1 letters of no delivery were taken, 0 may be")
    named(wrong(first, first, *others), "mail", "was taken 2 times, after 1 attempts")
    named(wrong(*others), "mail", "is done, and no letter was taken")
    assert wrong(first, *others) == []


LATE_ROW = "INSERT INTO work.due VALUES ('hazard.overdue', 'hazard-1', 'epoch')"
FAILED_ROW = "UPDATE work.due SET failed = 'NotReady'"
NOT_YET = "DELETE FROM work.due WHERE timer = 'campaign.ends'"
UNDONE = """
DELETE FROM record.log USING record.event e WHERE log.event_id = e.event_id AND e.event_id = ANY(SELECT event_id FROM {last});
DELETE FROM record.event e WHERE e.event_id = ANY(SELECT event_id FROM {last})
"""
LAST_WORD = """(
    SELECT event_id FROM record.event o WHERE o.type LIKE '%became_overdue%'
    AND NOT EXISTS (SELECT FROM record.event n WHERE n.stream_id = o.stream_id AND n.version > o.version)
) AS last"""


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (LATE_ROW, "is past, and has not rung"),
        (FAILED_ROW, "failed: NotReady"),
        (NOT_YET, "campaign.ends of campaign-zhenchengdi-2018"),
        (
            f"CREATE TABLE record.lost AS SELECT * FROM {LAST_WORD};" + UNDONE.format(last="record.lost"),
            "gone without a trace",
        ),
    ],
    ids=["late", "failed", "gone before its time", "claimed and never fired"],
)
async def test_a_deadline_that_is_late_failed_or_lost_is_named(small: SmallTown, statement: str, words: str) -> None:
    async with small.doctored("cases", statement):
        records = await read_all(small, ("cases",))
        named([line async for line in checks_work.deadlines(small, records)], "deadlines", words)


async def test_what_falls_due_after_it_was_read_has_nobody_late(small: SmallTown, records: Records) -> None:
    """To compare takes a slow machine a while, and nobody is at work meanwhile."""
    later = copy.copy(small)
    later.now = lambda service: small.now(service) + timedelta(days=365)  # type: ignore[method-assign]
    assert any(row["due_at"] < later.now("cases") for row in records.books["cases"].due)
    assert [line async for line in checks_work.deadlines(later, records) if "has not rung" in line] == []


@pytest.mark.parametrize(
    ("service", "statement", "words"),
    [
        ("intake", "UPDATE view.tip_line SET live = NOT live", "tip_line ["),
        ("intake", "DELETE FROM view.tip_line", "a row is missing"),
        ("reporting", "DELETE FROM view.fact", "fact ["),
        (
            "notify",
            "INSERT INTO view.outcome_count SELECT channel, outcome || '?', number FROM view.outcome_count",
            "a row that the record does not have",
        ),
    ],
    ids=["another row", "no row", "a projection's row", "a row too many"],
)
async def test_a_read_model_that_a_rebuild_would_change_is_named(
    small: SmallTown, service: str, statement: str, words: str
) -> None:
    async with small.doctored(service, statement):
        records = await read_all(small, (service,))
        named([line async for line in checks_work.views(small, records)], "views", words)
