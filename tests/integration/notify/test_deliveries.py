"""A delivery is a row; every attempt is an event before the call and one after it; whatever is cut off is tried again."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from services.notify.message_commands import EnterMessageInError
from shared.contracts.notify.message import AttemptFailed, AttemptStarted, AttemptSucceeded, DeadLettered
from shared.deliveries import Deliveries, Wake
from shared.delivery_rows import delivery_id_of, reopen, state_of
from shared.outside import SendFailed
from shared.sql import Tx
from shared.telemetry import DELIVERIES
from tests.integration.notify.sending import NOON, SOON, Office
from tests.support.kernel import a_cause, dies, kill_at, pause_at, running, until


async def test_an_attempt_is_an_event_before_the_call_and_its_outcome_one_after(office: Office) -> None:
    stream = await office.issue()
    assert not await office.deliveries().idle()
    async with running(office.deliveries()):
        await until(office.deliveries().idle)
    assert await office.facts(stream) == [
        AttemptStarted(channel="email", attempt=1),
        AttemptSucceeded(channel="email", attempt=1),
    ]
    assert [d.stream_id for d in office.line.sent] == [stream]


async def test_what_stands_in_the_inbox_alone_is_not_sent(office: Office) -> None:
    await office.issue("in_app")
    assert await office.deliveries().idle()


async def test_a_failure_waits_for_its_back_off_and_says_so_in_domain_time(office: Office) -> None:
    office.line.replies = [SendFailed("smtp_451"), SendFailed("smtp_451"), None]
    stream = await office.issue()
    async with running(office.deliveries()):
        await until(office.deliveries().idle)
    failures = [e for e in await office.facts(stream) if isinstance(e, AttemptFailed)]
    assert failures == [
        AttemptFailed(channel="email", attempt=n, error="smtp_451", next_at=NOON + SOON[n - 1]) for n in (1, 2)
    ]
    assert [(d.attempt, d.delivery_id) for d in office.line.sent] == [
        (n, delivery_id_of(stream, "email")) for n in (1, 2, 3)
    ]
    assert (await office.steps(stream))[-1] == "attempt_succeeded"


async def test_after_the_last_back_off_the_letter_is_dead_and_every_attempt_stands_in_the_record(
    office: Office,
) -> None:
    office.line.replies = [SendFailed("http_503")] * 3
    stream = await office.issue("webhook")
    async with running(office.deliveries()):
        await until(office.deliveries().idle)
    assert await office.steps(stream) == ["attempt_started", "attempt_failed"] * 3 + ["dead_lettered"]
    last, dead = (await office.facts(stream))[-2:]
    assert last == AttemptFailed(channel="webhook", attempt=3, error="http_503")
    assert dead == DeadLettered(channel="webhook", attempts=3)
    row = await office.row(stream, "webhook")
    assert (row["state"], row["last_error"]) == ("dead", "http_503")


async def test_a_permanent_failure_is_dead_at_once_and_may_be_reopened(office: Office) -> None:
    office.line.replies = [SendFailed("smtp_550", permanent=True)]
    stream = await office.issue()
    async with running(office.deliveries()):
        await until(office.deliveries().idle)
        assert await office.steps(stream) == ["attempt_started", "attempt_failed", "dead_lettered"]
        async with office.pool.acquire() as connection, connection.transaction():
            tx = Tx(connection)
            assert await state_of(tx, delivery_id_of(stream, "email")) == "dead"
            assert await reopen(tx, delivery_id_of(stream, "email"), "asked-by-the-office")
            assert not await reopen(tx, delivery_id_of(stream, "email"), "asked-twice")
        await until(office.deliveries().idle)
    assert (await office.steps(stream))[3:] == ["attempt_started", "attempt_succeeded"]
    assert [(d.attempt, d.correlation) for d in office.line.sent] == [(1, "c-1"), (2, "asked-by-the-office")]


async def test_a_channel_that_nobody_serves_is_dead_at_once(office: Office) -> None:
    stream = await office.issue("pigeon")
    async with running(office.deliveries()):
        await until(office.deliveries().idle)
    row = await office.row(stream, "pigeon")
    assert (row["last_error"], row["attempts"]) == ("no_such_channel", 1)


async def test_a_letter_that_cannot_be_written_counts_as_a_failure_and_does_not_come_back_for_ever(
    office: Office,
) -> None:
    async def broken(_: object, __: object) -> str:
        raise ZeroDivisionError

    stream = await office.issue()
    async with running(office.deliveries(outside=replace(office.deliveries().outside, write=broken))):
        await until(office.deliveries().idle)
    assert (await office.row(stream))["last_error"] == "internal"
    assert (await office.steps(stream)).count("attempt_started") == 3


async def test_a_call_that_takes_too_long_is_a_timeout(office: Office) -> None:
    office.line.hold = 5
    stream = await office.issue()
    async with running(office.deliveries(call_limit=0.05, back_off=())):
        await until(office.deliveries().idle)
    assert (await office.row(stream))["last_error"] == "timeout"


async def test_what_was_withdrawn_is_not_sent(office: Office) -> None:
    stream = await office.issue()
    wish = EnterMessageInError(message=stream.removeprefix("message-"), reason="发错")
    await office.app.handle(wish, a_cause())
    async with running(office.deliveries()):
        await until(office.deliveries().idle)
    assert office.line.sent == []
    assert (await office.row(stream))["last_error"] == "MessageWithdrawn"


async def test_a_message_withdrawn_during_the_call_keeps_its_outcome(office: Office) -> None:
    pause = pause_at("delivery: after the call")
    stream = await office.issue()
    async with running(office.deliveries(points=pause)):
        await pause.reached.wait()
        wish = EnterMessageInError(message=stream.removeprefix("message-"), reason="发错")
        await office.app.handle(wish, a_cause())
        pause.go_on.set()
        await until(office.deliveries().idle)
    assert await office.steps(stream) == ["attempt_started", "entered_in_error", "attempt_succeeded"]


# --- crash points


async def test_killed_before_the_call_it_is_tried_again_after_the_lease(office: Office) -> None:
    stream = await office.issue()
    await dies(Directly(office.deliveries(points=kill_at("delivery: before the call")), stream))
    assert await office.steps(stream) == ["attempt_started"] and office.line.sent == []
    async with running(office.deliveries()):
        await asyncio.sleep(0.1)
        assert office.line.sent == [], "the lease has not run out"
        await until(office.deliveries().idle)
    assert await office.steps(stream) == ["attempt_started", "attempt_started", "attempt_succeeded"]
    assert [d.attempt for d in office.line.sent] == [2]


async def test_killed_after_the_call_it_is_sent_again_under_the_same_id(office: Office) -> None:
    stream = await office.issue()
    await dies(Directly(office.deliveries(points=kill_at("delivery: after the call")), stream))
    assert await office.steps(stream) == ["attempt_started"]
    async with running(office.deliveries()):
        await until(office.deliveries().idle)
    assert [d.attempt for d in office.line.sent] == [1, 2]
    assert len({d.delivery_id for d in office.line.sent}) == 1
    assert await office.steps(stream) == ["attempt_started", "attempt_started", "attempt_succeeded"]


async def test_killed_before_the_wake_up_the_row_is_found_at_the_next_start(office: Office) -> None:
    stream = await office.issue()
    await dies(office.deliveries(points=kill_at("delivery: before the wake-up"), caller=Deaf()))
    assert await office.steps(stream) == []
    async with running(office.deliveries(caller=Deaf(), grace=0.05)):
        await until(office.deliveries().idle)
    assert await office.steps(stream) == ["attempt_started", "attempt_succeeded"]


async def test_a_wake_up_that_nobody_heeds_costs_its_grace_and_no_more(office: Office) -> None:
    deaf = Deaf()
    stream = await office.issue()
    async with running(office.deliveries(caller=deaf, grace=0.3)):
        await until(lambda: deaf.called)
        await asyncio.sleep(0.1)
        assert office.line.sent == [], "whoever was called has time to come"
        await until(office.deliveries().idle)
    assert [d.attempt for d in office.line.sent] == [1]
    assert {wake.delivery_id for wake in deaf.called} == {delivery_id_of(stream, "email")}


async def test_two_workers_never_send_the_same_at_the_same_time(office: Office) -> None:
    streams = [await office.issue() for _ in range(12)]
    office.line.hold = 0.05
    office.line.first = SendFailed("smtp_451")
    async with running(*(office.deliveries(workers=6) for _ in range(3))):
        await until(office.deliveries().idle)
    assert office.line.most == 1
    assert len(office.line.sent) == 24
    for stream in streams:
        assert (await office.steps(stream)) == [
            "attempt_started", "attempt_failed", "attempt_started", "attempt_succeeded",
        ]  # fmt: skip


async def test_the_outcome_of_an_attempt_whose_lease_ran_out_is_not_taken_for_the_next_ones(office: Office) -> None:
    """A process that stood still too long: another has begun meanwhile, and speaks for itself."""
    pause = pause_at("delivery: after the call")
    stream = await office.issue()
    late = asyncio.create_task(office.deliveries(points=pause).attempt(delivery_id_of(stream, "email")))
    await pause.reached.wait()
    await office.pool.execute("UPDATE work.delivery SET lease_until = clock_timestamp()")
    hold = pause_at("delivery: before the call")
    second = asyncio.create_task(
        office.deliveries(points=hold, lease=timedelta(seconds=9)).attempt(delivery_id_of(stream, "email"))
    )
    await hold.reached.wait()
    pause.go_on.set()
    await late
    assert await office.steps(stream) == ["attempt_started", "attempt_started"]
    hold.go_on.set()
    await second
    assert await office.facts(stream) == [
        AttemptStarted(channel="email", attempt=1),
        AttemptStarted(channel="email", attempt=2),
        AttemptSucceeded(channel="email", attempt=2),
    ]


async def test_a_graceful_stop_lets_the_call_end_and_begins_no_other(office: Office) -> None:
    office.line.hold = 0.2
    streams = [await office.issue() for _ in range(5)]
    stop = asyncio.Event()
    working = asyncio.create_task(office.deliveries(workers=1).run(stop))
    await until(lambda: office.line.sent)
    stop.set()
    await asyncio.wait_for(working, 20)
    ended = [stream for stream in streams if (await office.row(stream))["state"] == "done"]
    assert [f"{len(ended)} ended", f"{len(office.line.sent)} sent"] == ["1 ended", "1 sent"]
    assert await office.steps(ended[0]) == ["attempt_started", "attempt_succeeded"]


async def test_a_database_that_goes_away_for_a_moment_stops_nothing(office: Office) -> None:
    async with running(office.deliveries()) as (task,):
        await asyncio.sleep(0.05)
        async with office.away():
            await asyncio.sleep(0.5)
        stream = await office.issue()
        await until(office.deliveries().idle)
        assert not task.done()
    assert await office.steps(stream) == ["attempt_started", "attempt_succeeded"]


async def test_attempts_are_counted_by_channel_and_outcome(office: Office) -> None:
    def number(outcome: str) -> float:
        return float(DELIVERIES.labels("notify", "email", outcome)._value.get())

    before = {outcome: number(outcome) for outcome in ("delivered", "failed", "dead")}
    office.line.replies = [SendFailed("smtp_451"), None, SendFailed("smtp_550", permanent=True)]
    async with running(office.deliveries()):
        await office.issue()
        await until(office.deliveries().idle)
        await office.issue()
        await until(office.deliveries().idle)
    assert {outcome: number(outcome) - before[outcome] for outcome in before} == {
        "delivered": 1,
        "failed": 1,
        "dead": 1,
    }


class Deaf:
    """Says that everybody was called, and calls nobody: a queue that loses what it took."""

    def __init__(self) -> None:
        self.called: list[Wake] = []

    async def call(self, wakes: Iterable[Wake]) -> set[Wake]:
        wanted = set(wakes)
        self.called += wanted
        return wanted

    async def run(self, take: Callable[[UUID], Awaitable[None]]) -> None:
        await asyncio.Event().wait()


class Directly:
    """One attempt, in the place of a process that makes it and dies."""

    def __init__(self, deliveries: Deliveries, stream: str) -> None:
        self._deliveries, self._id = deliveries, delivery_id_of(stream, "email")

    async def run(self) -> None:
        await self._deliveries.attempt(self._id)
