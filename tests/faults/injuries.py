"""What a careless hand or a bad disk does to a stream: six injuries, each to a stream that stands and holds something.

A stream is a copy, so none of these may lose an event.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import StreamState

from shared.settings import SERVICES
from shared.stream import connect, stream_name
from tests.faults.schedule import Step
from tests.faults.town import Town

PATIENCE = 30.0
"""Seconds that an injury waits for a stream worth injuring."""
COPIES = 4
"""So many copies of the store are kept for `older_folder`."""


class NotDone(Exception):
    """A step of the schedule could not be done; the run is no good."""


async def injure(town: Town, step: Step) -> None:
    """Does it, alone. Raises NotDone."""
    if step.kind in ("wipe", "older_folder"):
        await _to_the_store(town, step)
    else:
        async with town.at(town.nats):
            await _to_a_stream(town, step)


async def keep_a_copy(town: Town) -> None:
    """For the first `older_folder`."""
    async with town.nats_down() as store:
        await asyncio.to_thread(_copy, town, store)


# ------------------------------------------------------------------------------------------------- to all of them


async def _to_the_store(town: Town, step: Step) -> None:
    if step.kind == "wipe" and step.parameter:  # the server goes on for a while, writing to files nobody finds
        async with town.at(town.nats):
            await asyncio.to_thread(_clear, town.nats.folder)
            await asyncio.sleep(1)
    began = datetime.now(UTC)
    async with town.nats_down() as store:
        older = _copies(town)[-int(step.parameter) :][:1] if step.kind == "older_folder" else []
        if step.kind == "older_folder" and not older:
            raise NotDone("no copy of the store was made before")
        await asyncio.to_thread(_replace, town, store, older[0] if older else None)
    if older and any(older[0].stat().st_mtime < restore.accepted.timestamp() for restore in town.restores):
        town.relapses.append((began, datetime.now(UTC)))
    # A copy's own holes come back with it; whether the relay then keeps or remakes the stream, they may be there.
    for service in SERVICES:
        town.holes(service).clear()
        if older:
            town.holes(service).update(_holes_of(older[0], service))


def _replace(town: Town, store: Path, older: Path | None) -> None:
    """Puts `older` in the place of the store, or nothing; the store as it is becomes the newest copy."""
    _copy(town, store)
    _clear(store)
    if older is not None:
        shutil.copytree(older / "store", store, dirs_exist_ok=True)


def _clear(store: Path) -> None:
    for inside in store.iterdir():  # not the folder itself: it may be a disk
        shutil.rmtree(inside, ignore_errors=True)  # a server may be writing


def _copy(town: Town, store: Path) -> None:
    copies = _copies(town)
    number = int(copies[-1].name) + 1 if copies else 1
    fresh = town.folder / "copies" / f"{number:06}"
    shutil.copytree(store, fresh / "store")
    for service in SERVICES:
        (fresh / service).write_text(" ".join(map(str, town.holes(service))))
    for old in copies[: -COPIES + 1]:
        shutil.rmtree(old)


def _copies(town: Town) -> list[Path]:
    """Oldest first."""
    folder = town.folder / "copies"
    return sorted(folder.iterdir()) if folder.exists() else []


def _holes_of(copy: Path, service: str) -> set[int]:
    return {int(position) for position in (copy / service).read_text().split()}


# ------------------------------------------------------------------------------------------------- to one stream


async def _to_a_stream(town: Town, step: Step) -> None:
    nc = await connect(town.nats_url, "drill")
    try:
        async with asyncio.timeout(PATIENCE):
            await _until_it_stands(nc, town, step)
    except TimeoutError as error:
        raise NotDone(f"{step.kind}: the stream of {step.target} did not come to stand") from error
    finally:
        await nc.close()


async def _until_it_stands(nc: Client, town: Town, step: Step) -> None:
    js, name = nc.jetstream(timeout=2), stream_name(town.jurisdiction, step.target)
    injury: dict[str, Callable[[JetStreamContext, str, Town, Step, StreamState], Awaitable[bool]]] = {
        "delete_stream": _delete_stream,
        "purge": _purge,
        "delete_inside": _delete_inside,
        "delete_last": _delete_last,
    }
    while True:
        try:
            state = (await js.stream_info(name)).state
            if state.messages >= 3 and await injury[step.kind](js, name, town, step, state):
                return
        except (nats.errors.Error, TimeoutError):
            pass
        await asyncio.sleep(0.1)


async def _delete_stream(js: JetStreamContext, name: str, town: Town, step: Step, _: StreamState) -> bool:
    done = await js.delete_stream(name)
    town.holes(step.target).clear()
    return done


async def _purge(js: JetStreamContext, name: str, town: Town, step: Step, state: StreamState) -> bool:
    """Everything below k goes; with the whole of it (1), the stream is left empty."""
    gone = int(float(step.parameter) * (state.last_seq - state.first_seq + 1))
    upto = state.first_seq + max(1, gone)
    town.holes(step.target).update(range(state.first_seq, upto))  # before: an answer may be lost
    return await js.purge_stream(name, seq=upto)


async def _delete_inside(js: JetStreamContext, name: str, town: Town, step: Step, state: StreamState) -> bool:
    inside = state.first_seq + 1 + int(float(step.parameter) * (state.last_seq - state.first_seq - 1))
    return await _delete(js, name, town, step, min(inside, state.last_seq - 1))


async def _delete_last(js: JetStreamContext, name: str, town: Town, step: Step, state: StreamState) -> bool:
    return await _delete(js, name, town, step, state.last_seq)


async def _delete(js: JetStreamContext, name: str, town: Town, step: Step, position: int) -> bool:
    town.holes(step.target).add(position)  # before: an answer may be lost
    return await js.delete_msg(name, position)
