"""Whoever alters the demo's record and recomputes all that follows from it: only what was signed, and kept outside, tells."""

import copy
from uuid import uuid4

import pytest

from tests.support.attacks import Event, Forge, Ground, attacked, cut, says

AT = 100
"""A position in the middle of the log of cases, in its first tile."""


def altered(events: list[Event]) -> list[Event]:
    events[AT - 1].told["actor"] = "p-somebody-else"
    return events


def dropped(events: list[Event]) -> list[Event]:
    return events[: AT - 1] + events[AT:]


def inserted(events: list[Event]) -> list[Event]:
    forged = Event(10**9, copy.deepcopy(events[AT - 1].told) | {"id": str(uuid4())})
    return [*events[:AT], forged, *events[AT:]]


def swapped(events: list[Event]) -> list[Event]:
    events[AT - 1], events[AT] = events[AT], events[AT - 1]
    return events


@pytest.mark.parametrize("forge", [altered, dropped, inserted, swapped], ids=lambda forge: str(forge.__name__))
async def test_everything_recomputed_is_not_what_was_signed(ground: Ground, forge: Forge) -> None:
    async with attacked(ground, "cases") as at:
        await at.rewrite(forge)
        sizes = await at.value("SELECT array_agg(size ORDER BY size) FROM record.checkpoint")
        before = max((size for size in sizes if size < AT), default=0)
        found = await at.found()
        if forge is dropped:
            says(found, "its end was cut off")
        says(
            found, f"something among events {before + 1} to {min(s for s in sizes if s >= AT)} was altered", before + 1
        )


async def test_checkpoints_thrown_away_with_it(ground: Ground) -> None:
    async with attacked(ground, "cases") as at:
        await at.rewrite(altered)
        await at.run("TRUNCATE record.checkpoint, record.cosignature")
        found = await at.found()
    says(found, "no checkpoint meets your policy")
    says(found, "something among events 1 to")


async def test_a_checkpoint_that_was_forged(ground: Ground) -> None:
    async with attacked(ground, "cases") as at:
        await at.rewrite(altered)
        await at.run(
            "UPDATE record.checkpoint c SET root = h.root, note = "
            "replace(note, encode(c.root, 'base64'), encode(h.root, 'base64')) FROM work.head h WHERE c.size = h.position"
        )
        says(await at.found(), "a checkpoint's signature does not fit")


async def test_a_log_of_another_name(ground: Ground) -> None:
    """A new lineage in the place of the old one: the checkpoint that was kept is of a log that is not there."""
    async with attacked(ground, "cases") as at:
        await at.run("UPDATE record.lineage SET lineage = gen_random_uuid()")
        await at.run("UPDATE work.head SET lineage = (SELECT lineage FROM record.lineage)")
        says(await at.found(), "and that log is not here")


async def test_inner_nodes_that_were_altered(ground: Ground) -> None:
    async with attacked(ground, "intake") as at:
        await at.run("UPDATE record.node SET hash = sha256('another')")
        says(await at.found(), "is not the hash of the events below it", 1)


async def test_an_end_that_was_cut_off(ground: Ground) -> None:
    """By somebody who has no backup: all of it is made to agree with itself, and only what is kept outside tells."""
    async with attacked(ground, "cases") as at:
        size = await cut(at, 20)
        says(await at.found(), f"the log ends at {size}: its end was cut off", size + 1)
