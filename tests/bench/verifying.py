"""(i) verifying an export with the verifier that is handed out: events a second, and its memory at ten times as many events."""

import asyncio
import contextlib
import hashlib
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.transparency import heads, tiles, tree
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import LOG, WITNESS, Key, Note, cosign, sign
from shared.transparency.tiles import WIDTH
from shared.verifier import archive
from tests.bench.ground import Ground
from tests.bench.rows import Aim, Row, row_of
from tests.bench.watching import family

TOWN, SERVICE, NAME = "140181101", "cases", "police.example"
ORIGIN = f"{TOWN}/{SERVICE}/8f4e1d7a-95a8-4d2f-8f35-6d9b4a8f0c11"
LOG_PRIVATE, WITNESS_PRIVATE = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
PROCESSES = 2
LIVE, STREAM, STATEMENTS = 2_000, 10, 4
"""Streams that get events at a time; events of a stream, on average; statements of heads in a log of any length."""
KINDS: tuple[tuple[str, Callable[[str], str]], ...] = (
    (
        "cases.hazard.listed.v1",
        lambda text: (
            '{"category":"illegal_pit","hazard_no":7,"live":true,"place":{"accuracy_m":12,"lat_e7":377000000,'
            f'"lon_e7":1121000000}},"site":"site-0f3c","summary":{text},"village":"dulan","violation":"no_licence"}}'
        ),
    ),
    ("cases.hazard.accepted.v1", lambda text: f'{{"accepted_on":"2018-03-02","remark":{text}}}'),
    ("cases.hazard.extended.v1", lambda text: f'{{"reason":{text},"to_on":"2018-05-01"}}'),
    ("cases.site.keeper_assigned.v1", lambda text: '{"kind":"departmental","unit":"safety_office"}'),
)


def bodies(events: int) -> Iterator[bytes]:
    """Envelopes as the services write them, about 900 bytes with one sealed text; streams interleaved, long ones and short."""
    chosen, last, live = random.Random(7), dict[str, heads.Head](), list[str]()
    for position in range(1, events + 1):
        seed = hashlib.sha256(position.to_bytes(8, "big")).hexdigest()
        event = f"{seed[:8]}-{seed[8:12]}-4{seed[13:16]}-8{seed[17:20]}-{seed[20:32]}"
        text = f'{{"c":"{seed}{seed[:40]}","k":"{event}","m":"{seed[:43]}","n":"{seed[:16]}"}}'
        kind, data = KINDS[position % len(KINDS)]
        if position % (events // STATEMENTS) == 0:
            kind, stream, said = "cases.opening.made.v1", f"opening-{event}", _statement(last, position - 1, text)
        else:
            if position % STREAM == 1 or not live:
                live = [*live[-LIVE + 1 :], f"hazard-{event}"]
            stream, said = live[chosen.randrange(len(live))], data(text)
        before = last.get(stream)
        version, prev = (before.version + 1, f'"prev":"{before.leaf.hex()}",') if before else (1, "")
        body = (
            f'{{"actor":"p-clerk-{position % 40}","causationid":"{event}","correlationid":"{event}","data":{said},"id":"{event}",'
            f'"inrole":"clerk@safety_office","planversion":"zhenchengdi-2018@1",{prev}"recordedat":"2018-02-11T04:05:00.000000Z",'
            f'"salt":"AAECAwQFBgcICQoLDA0ODw==","source":"/{TOWN}/{SERVICE}","specversion":"1.0","subject":"{stream}",'
            f'"time":"2018-02-11T04:00:00.123456Z","traceparent":"00-{seed[:32]}-{seed[32:48]}-01","type":"{kind}",'
            f'"version":{version}}}'
        ).encode()
        last[stream] = heads.Head(stream, version, hashlib.sha256(b"\x00" + body).digest())
        yield body


def _statement(last: dict[str, heads.Head], size: int, text: str) -> str:
    root = heads.root(last.values()).hex()
    return f'{{"about":[],"heads":{{"root":"{root}","size":{size},"streams":{len(last)}}},"kind":"export","reason":{text}}}'


class Writing:
    """An export folder on its way, with a bundle and the rows of tiles that are not full yet in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.size, self.written = folder, 0, 0
        self._frontier: list[bytes] = []
        self._bundle: list[bytes] = []
        self._rows: dict[int, list[bytes]] = {}

    def add(self, body: bytes) -> None:
        self.written += len(body)
        self._bundle.append(body)
        if len(self._bundle) == WIDTH:
            self._flush()

    def end(self) -> str:
        """Signs; the policy that it meets."""
        if self._bundle:
            self._flush()
        for level, row in self._rows.items():
            if row:
                self._put(tiles.path(level, (self.size >> 8 * level) // WIDTH, len(row)), b"".join(row))
        text = str(Checkpoint(ORIGIN, self.size, tree.root(self._frontier)))
        lines = sign(text, ORIGIN, LOG_PRIVATE), cosign(text, NAME, WITNESS_PRIVATE, 1_790_000_000)
        self._put("checkpoint", str(Note(text, lines)).encode())
        log = Key(ORIGIN, LOG, LOG_PRIVATE.public_key().public_bytes_raw())
        witness = Key(NAME, WITNESS, WITNESS_PRIVATE.public_key().public_bytes_raw())
        return f"log {log}\nwitness police {witness}\nquorum police\n"

    def _flush(self) -> None:
        index, width = self.size // WIDTH, len(self._bundle)
        leaves = [hashlib.sha256(b"\x00" + body).digest() for body in self._bundle]
        full: list[tree.Completed] = []
        self.size, self._frontier = tree.extend(self.size, self._frontier, leaves, full)
        self._put(tiles.path("entries", index, width), tiles.bundle(self._bundle))
        self._put(tiles.path(0, index, width), b"".join(leaves))
        self._bundle.clear()
        for level, node, hashed in full:
            row = self._rows.setdefault(level, [])
            row.append(hashed)
            if len(row) == WIDTH:
                self._put(tiles.path(level, node // WIDTH), b"".join(row))
                row.clear()

    def _put(self, name: str, content: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def written(folder: Path, events: int) -> tuple[Path, float]:
    """(the policy's file, bytes an event on average) of an export in folder/log."""
    writing = Writing(folder / "log")
    for body in bodies(events):
        writing.add(body)
    policy = folder / "policy"
    policy.write_text(writing.end(), "utf-8")
    os.sync()  # so that no round has the disk against it
    return policy, writing.written / max(1, events)


@dataclass(frozen=True)
class Round:
    """`seconds` the verifier says it took; `whole`: with Python's start; `peak`: MB of all its processes together, if watched."""

    seconds: float
    whole: float
    peak: float


async def verified(program: Path, folder: Path, events: int, watched: bool) -> Round:
    """`watched`: its memory is looked at, which takes processor time from it. Raises AssertionError when it is not proven."""
    began = time.perf_counter()
    running = await asyncio.create_subprocess_exec(
        sys.executable, str(program), str(folder / "log"), "--policy", str(folder / "policy"), "--processes", str(PROCESSES),
        "--scratch", str(folder), "--json", stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    peaks: dict[int, int] = {}
    answer = asyncio.create_task(running.communicate())
    while watched and not answer.done():
        peaks |= _peaks(running.pid)
        await asyncio.wait([answer], timeout=0.2)
    await answer
    whole = time.perf_counter() - began
    said = json.loads(answer.result()[0])
    part = said["parts"][0]
    assert said["result"] == "proven" and part["events"] == events, said
    return Round(part["seconds"], whole, sum(peaks.values()) / 1024)


def _peaks(pid: int) -> dict[int, int]:
    """Process -> the most it ever had resident, in kB; of `pid` and its children, while they live."""
    found: dict[int, int] = {}
    for each in family(pid):
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{each}/status").read_text().splitlines()
            found[each] = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return found


async def measured(ground: Ground) -> list[Row]:
    program = ground.folder / archive.NAME
    program.write_bytes(archive.build())
    rows: list[Row] = []
    peaks: list[list[float]] = []
    for events in ground.size.verified:
        folder = ground.folder / f"export-{events}"
        _, width = written(folder, events)
        rounds = [await verified(program, folder, events, watched=False) for _ in range(ground.size.rounds)]
        peaks.append([(await verified(program, folder, events, watched=True)).peak])
        shutil.rmtree(folder)
        more = {"bytes an event": width, "s with Python's start": median(each.whole for each in rounds)}
        rates = [events / each.seconds for each in rounds]
        rows.append(
            row_of("i", f"verify an export of {events:,} events", rates, "events/s", aim=Aim(least=150_000), more=more)
        )
    few, many = ground.size.verified
    return [
        *rows,
        row_of("i", f"memory of its processes together, {few:,} events", peaks[0], "MB"),
        row_of("i", f"the same, {many:,} events", peaks[1], "MB", (f"{few:,}", peaks[0]), Aim(most=1.5)),
    ]
