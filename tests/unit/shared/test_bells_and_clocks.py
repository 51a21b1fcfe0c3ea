"""Waking, domain time, and the ids that are the same after a retry."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from shared.bell import Bell, Chime
from shared.clock import SimulatedClock, SystemClock
from shared.ids import derived, event_id, fresh

START = datetime(2018, 1, 16, tzinfo=UTC)


async def test_a_bell_rung_before_is_heard_once() -> None:
    bell = Bell()
    bell.ring()
    bell.ring()
    await asyncio.wait_for(bell.wait(60), 1)
    before = asyncio.get_running_loop().time()
    await bell.wait(0.01)
    assert asyncio.get_running_loop().time() > before


async def test_a_waiter_wakes_when_it_rings() -> None:
    bell = Bell()
    waiting = asyncio.create_task(bell.wait(60))
    await asyncio.sleep(0)
    bell.ring()
    await asyncio.wait_for(waiting, 1)


async def test_a_chime_rings_every_bell_of_it() -> None:
    chime = Chime()
    bells = [chime.bell() for _ in range(3)]
    chime.ring()
    await asyncio.wait_for(asyncio.gather(*(bell.wait(60) for bell in bells)), 1)


def test_the_simulated_clock_stands_still_and_never_goes_back() -> None:
    clock = SimulatedClock(START.astimezone(timezone(timedelta(hours=8))))
    assert clock.now() == START and clock.now().tzinfo is UTC
    clock.move_to(START + timedelta(hours=1))
    clock.move_to(START + timedelta(hours=1))
    with pytest.raises(ValueError, match="cannot go back"):
        clock.move_to(START)
    assert clock.now() == START + timedelta(hours=1)


def test_the_system_clock_is_aware_and_in_utc() -> None:
    assert abs(SystemClock().now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert SystemClock().now().utcoffset() == timedelta()


def test_derived_ids_depend_on_every_part_and_on_where_it_ends() -> None:
    assert derived("cases", 7, "copy") == derived("cases", 7, "copy")
    assert len({derived("a", "bc"), derived("ab", "c"), derived("abc"), derived("a", "b", "c")}) == 4


def test_an_event_id_belongs_to_one_command_one_stream_and_one_version() -> None:
    command = UUID(int=1)
    ids = {
        event_id(command, "s", 1),
        event_id(command, "s", 2),
        event_id(command, "t", 1),
        event_id(UUID(int=2), "s", 1),
    }
    assert len(ids) == 4
    assert event_id(command, "s", 1) in ids


def test_fresh_ids_differ() -> None:
    assert fresh() != fresh()
