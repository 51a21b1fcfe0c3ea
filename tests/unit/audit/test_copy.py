"""An auditor's copy takes what continues it, and nothing that contradicts it, itself, or the auditor's policy."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.audit.copy import Copied, CopyRefused, LogAt, LogAway, NotYet, copy
from shared.audit.folder import LogFolder
from shared.transparency import tiles, tree
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import Note, cosign
from shared.transparency.policy import Policy
from tests.crosscheck.logs import WITNESS_KEY, WITNESS_NAME, WITNESS_PRIVATE, Log, some_entries
from tests.support.signed import note_of, policy_for

ORIGIN = "140181/cases/6b0f6d0a-0000-4000-8000-000000000001"
CHILD = "140181/cases/6b0f6d0a-0000-4000-8000-000000000002"
OPENING = "5d1c7d0e-0000-4000-8000-000000000009"
ENTRIES = some_entries(1100)
FORK = [*ENTRIES[:100], b"{}", *ENTRIES[101:]]


class Town:
    """A door that shows a log as cases' own, as far as it is let; `asked` keeps the paths. `change` alters an answer."""

    def __init__(self, entries: list[bytes], origin: str = ORIGIN) -> None:
        self.asked: list[str] = []
        self.reasons: list[Any] = []
        self.change: Callable[[str, bytes], bytes | None] = lambda _, content: content
        self.show(entries, origin)

    def show(self, entries: list[bytes], origin: str = ORIGIN) -> None:
        log = Log(Path("nowhere"), entries)
        self.checkpoint = Checkpoint(origin, log.size, log.root)
        self.note = note_of(self.checkpoint)
        self.files = {tiles.path(*tile): tree.pack(hashes) for tile, hashes in log.tiles.items()}
        for begin in range(0, log.size, 256):
            width = min(256, log.size - begin)
            self.files[tiles.path("entries", begin // 256, width)] = tiles.bundle(entries[begin : begin + width])

    def answer(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer a-token"
        name = request.url.path.removeprefix("/cases/v1/log/")
        self.asked.append(name)
        if request.method == "POST":
            self.reasons.append(request.read())
            return httpx.Response(201, json={"opening": OPENING})
        if "entries" in name and request.headers.get("opening") != OPENING:
            return httpx.Response(403, json={"title": "先登记理由", "title_en": "first give your reason"})
        content = str(self.note).encode() if name == "checkpoint" else self.files.get(name)
        content = self.change(name, content) if content is not None else None
        return (
            httpx.Response(404, json={"title": "没有", "title_en": "none"})
            if content is None
            else httpx.Response(200, content=content)
        )

    async def copied(self, folder: LogFolder, policy: str | None = None) -> Copied:
        self.asked.clear()
        async with httpx.AsyncClient(
            transport=httpx.MockTransport(self.answer), base_url="https://town.example"
        ) as http:
            wanted = Policy.read(policy or policy_for(self.checkpoint.origin))
            return await copy(LogAt(http, "cases", "a-token"), folder, wanted, "季度审计")


@pytest.fixture
def folder(tmp_path: Path) -> LogFolder:
    return LogFolder(tmp_path / "cases")


def files(folder: LogFolder) -> dict[str, bytes]:
    return {str(path.relative_to(folder.path)): path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}


def evidence(folder: LogFolder) -> list[Path]:
    return sorted(folder.path.parent.glob("refused-cases-*"))


async def test_it_grows_with_the_log_and_takes_only_what_is_new(folder: LogFolder) -> None:
    town = Town(ENTRIES[:300])
    assert await town.copied(folder) == Copied(0, 300)
    for size, bundles in ((600, ["001", "002.p/88"]), (1100, ["002", "003", "004.p/76"])):
        town.show(ENTRIES[:size])
        await town.copied(folder)
        assert [name for name in town.asked if "entries" in name] == [f"tile/entries/{each}" for each in bundles]
        log = Log(folder.path.parent / f"wanted-{size}", ENTRIES[:size])
        log.write()
        there = files(LogFolder(log.folder))
        assert files(folder) == {n: c for n, c in there.items() if n.startswith("tile/")} | {
            "checkpoint": str(town.note).encode()
        }
    assert len(town.reasons) == 3


async def test_a_log_that_did_not_grow_is_asked_for_its_checkpoint_only(folder: LogFolder) -> None:
    town = Town(ENTRIES[:300])
    await town.copied(folder)
    assert await town.copied(folder) == Copied(300, 300)
    assert town.asked == ["checkpoint"] and len(town.reasons) == 1


async def test_an_interrupted_copy_is_gone_on_with_and_takes_nothing_twice(folder: LogFolder) -> None:
    town = Town(ENTRIES)
    town.change = lambda name, content: None if name == "tile/entries/003" else content
    with pytest.raises(LogAway, match="tile/entries/003: 404 没有 none"):
        await town.copied(folder)
    assert folder.checkpoint() is None
    (folder.path / "tile/entries/001").write_bytes(tiles.bundle(FORK[256:512]).replace(b"256", b"652"))
    town.change = lambda _, content: content
    assert await town.copied(folder) == Copied(0, 1100)
    assert [name for name in town.asked if "entries" in name] == [
        f"tile/entries/{each}" for each in ("001", "003", "004.p/76")
    ]


FORKS = [
    (FORK, r"did not grow from the one of 300 that was known"),
    (FORK[:300], r"signed another history of 300 events"),
    (FORK[:250], r"signed another history of 250 events"),
]


@pytest.mark.parametrize(("entries", "why"), FORKS, ids=["longer", "as long", "shorter"])
async def test_another_history_is_refused_and_kept_and_the_copy_stays(
    folder: LogFolder, entries: list[bytes], why: str
) -> None:
    await Town(ENTRIES[:300]).copied(folder)
    before = files(folder)
    forged = Town(entries)
    with pytest.raises(CopyRefused, match=why):
        await forged.copied(folder)
    assert files(folder) == before and forged.reasons == []
    checkpoint, told = evidence(folder)
    assert Note.read(checkpoint.read_bytes()) == forged.note
    assert f"{ORIGIN}\n300\n" in told.read_text("utf-8")
    with pytest.raises(CopyRefused, match=str(checkpoint)):
        await forged.copied(folder)
    assert evidence(folder) == [checkpoint, told]
    assert await Town(ENTRIES).copied(folder) == Copied(300, 1100)


async def test_tiles_that_do_not_prove_the_growth_are_no_proof(folder: LogFolder) -> None:
    await Town(ENTRIES[:300]).copied(folder)
    town = Town(ENTRIES)
    town.change = lambda name, content: bytes(len(content)) if name == "tile/0/001" else content
    with pytest.raises(CopyRefused, match="did not grow"):
        await town.copied(folder)
    town.change = lambda name, content: None if name == "tile/0/001" else content
    with pytest.raises(LogAway, match="tile/0/001"):
        await town.copied(folder)
    assert Checkpoint.read(str(folder.note()).partition("\n\n")[0] + "\n").size == 300


async def test_an_old_state_is_not_taken_and_contradicts_nothing(folder: LogFolder) -> None:
    await Town(ENTRIES[:300]).copied(folder)
    with pytest.raises(NotYet, match="shows 299 events, this copy holds 300"):
        await Town(ENTRIES[:299]).copied(folder)
    assert evidence(folder) == []


async def test_a_checkpoint_by_another_key_or_without_the_witnesses_is_not_taken(folder: LogFolder) -> None:
    town = Town(ENTRIES[:300])
    with pytest.raises(NotYet, match=f"no log of the policy signed for {ORIGIN}"):
        await town.copied(folder, policy_for(CHILD))
    witnessed = policy_for(ORIGIN).replace("quorum none", f"witness police {WITNESS_KEY}\nquorum police")
    with pytest.raises(NotYet, match="police is not met"):
        await town.copied(folder, witnessed)
    town.note = Note(
        town.note.text, (*town.note.lines, cosign(town.note.text, WITNESS_NAME, WITNESS_PRIVATE, 1_800_000_000))
    )
    assert await town.copied(folder, witnessed) == Copied(0, 300)
    line = town.note.lines[0]
    town.note = Note(str(Checkpoint(ORIGIN, 301, bytes(32))), (line,))
    with pytest.raises(CopyRefused, match="does not fit"):
        await town.copied(folder)
    town.change = lambda name, _: b"<html>"
    with pytest.raises(CopyRefused, match="shows no checkpoint"):
        await town.copied(folder)


ALTERED = {
    "one entry": (lambda n, c: c.replace(b'"id": 7,', b'"id": 8,') if n == "tile/entries/000" else c, "event 8 is not the one"),
    "one entry less": (lambda n, c: c[:-20] if n == "tile/entries/001.p/44" else c, "ends in the middle of an entry"),
    "entries swapped": (lambda n, c: tiles.bundle(ENTRIES[255::-1]) if n == "tile/entries/000" else c, "event 1 is not"),
    "too few": (lambda n, c: tiles.bundle(ENTRIES[256:299]) if n == "tile/entries/001.p/44" else c, "43 entries"),
    "without end": (lambda n, c: bytes(40_000_000) if n == "tile/entries/000" else c, "does not end"),
    "no tile": (lambda n, c: c + b"x" if n == "tile/0/001.p/44" else c, "has 1409 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("what", ALTERED)
async def test_entries_that_are_not_those_that_were_signed_are_not_taken(folder: LogFolder, what: str) -> None:
    town = Town(ENTRIES[:300])
    town.change, why = ALTERED[what]
    with pytest.raises((CopyRefused, LogAway), match=why):
        await town.copied(folder)
    assert folder.checkpoint() is None


async def test_entries_and_tiles_that_agree_but_do_not_have_the_signed_root_are_refused(folder: LogFolder) -> None:
    town, other = Town(ENTRIES[:300]), Town(FORK[:300])
    town.files = other.files
    with pytest.raises(CopyRefused, match="300 events have the root"):
        await town.copied(folder)
    assert list(files(folder)) == [] and len(evidence(folder)) == 2


def restored(to: int, entries: list[bytes]) -> str:
    return f"{CHILD}/after/{ORIGIN.rsplit('/', 1)[1]}/{to}/{Log(Path('nowhere'), entries[:to]).root.hex()}"


LINEAGES = [
    (
        restored(260, ENTRIES),
        r"restored to its first 260 events; 40 that are held here are not in it any more.*new folder",
    ),
    (restored(300, ENTRIES), r"restored to its first 300 events; 0 that"),
    (restored(260, FORK), "they are other events than those held here"),
    (restored(260, ENTRIES).replace("000001/260", "000007/260"), "this copy is of"),
    (CHILD, "this copy is of"),
    (ORIGIN.replace("cases", "notify"), "this copy is of"),
]


@pytest.mark.parametrize(
    ("origin", "why"), LINEAGES, ids=["set back", "set back to now", "lying", "of another", "unexplained", "another"]
)
async def test_a_log_under_a_new_name_is_never_mixed_with_the_old(folder: LogFolder, origin: str, why: str) -> None:
    await Town(ENTRIES[:300]).copied(folder)
    before = files(folder)
    with pytest.raises(CopyRefused, match=why):
        await Town(ENTRIES[:400], origin).copied(folder)
    assert files(folder) == before and len(evidence(folder)) == 2
