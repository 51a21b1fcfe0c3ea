"""Lines of witnesses are gathered beside the log: by real witnesses, and past those who are slow, dead, unwilling or false."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.responses import PlainTextResponse, Response

from shared.checkpointer import Checkpointer
from shared.checkpoints import newest, origin_of
from shared.cosigning import Gatherer, NotCosigned, PolicyFileError, load_policy, outsiders
from shared.lineage import begin_new_lineage
from shared.signing import SignerAt
from shared.sql import Tx
from shared.transparency.note import LOG, WITNESS, Key, cosign
from shared.transparency.policy import Policy
from shared.witness.cosigner import Offer
from tests.support.crash import dies, kill_at
from tests.support.kernel import Place, running, until
from tests.support.signing import Program, a_signer, a_witness, answering

SIGNED = "SELECT size, witness FROM record.cosignature ORDER BY size, witness"
FALSE = Ed25519PrivateKey.generate()
FALSE_KEY = Key("false.example", WITNESS, FALSE.public_key().public_bytes_raw())


@pytest.fixture
async def signer(source: Place, tmp_path: Path) -> AsyncIterator[SignerAt]:
    async with a_signer(tmp_path / "signer", f"{source.jurisdiction}/cases") as (made, _):
        yield made


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as client:
        yield client


async def signed(place: Place, signer: SignerAt, events: int) -> Key:
    """The log longer by so many events, and its checkpoint; the log's key."""
    await place.fill(events)
    await place.number()
    part = Checkpointer(place.name, place.jurisdiction, place.pool, signer, every=0.0)
    checkpoint = await part.once()
    assert checkpoint is not None
    return Key(checkpoint.origin, LOG, await signer.public())


def a_gatherer(place: Place, http: httpx.AsyncClient, witness: Key, url: str, **changes: Any) -> Gatherer:
    bell = place.received.bell()  # any that nobody rings
    return Gatherer(place.name, place.pool, witness, url, http, bell, **({"poll": 0.02} | changes))


async def lines(place: Place) -> list[tuple[int, str]]:
    return [(row["size"], row["witness"]) for row in await place.pool.fetch(SIGNED)]


@asynccontextmanager
async def police(tmp_path: Path, *logs: Key) -> AsyncIterator[tuple[Key, str, Program]]:
    async with a_witness(tmp_path / "police", "police.example", *logs) as made:
        yield made


async def test_a_witness_signs_each_newest_checkpoint_from_where_it_was(
    source: Place, signer: SignerAt, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    log = await signed(source, signer, 300)
    async with police(tmp_path, log) as (key, url, _):
        part = a_gatherer(source, http, key, url)
        first = await part.once()
        assert first is not None and first.size == 300
        assert await part.once() is None, "nothing new"
        for _ in range(2):
            await signed(source, signer, 200)
        assert await part.once() is not None
    assert await lines(source) == [(300, "police.example"), (700, "police.example")]
    policy = Policy.read(f"log {log}\nwitness police {key}\nquorum police\n")
    note = await newest(Tx(source.pool), policy=policy)  # type: ignore[arg-type]
    assert note is not None and key in note.signed_by([key]) and note.text.split("\n")[1] == "700"


@pytest.mark.parametrize("point", ["witness: signed", "witness: kept"])
async def test_killed_between_signing_and_keeping_the_line_is_fetched_again_or_the_next_one(
    source: Place, signer: SignerAt, http: httpx.AsyncClient, tmp_path: Path, point: str
) -> None:
    log = await signed(source, signer, 10)
    async with police(tmp_path, log) as (key, url, _):
        await dies(a_gatherer(source, http, key, url, points=kill_at(point)))
        async with running(a_gatherer(source, http, key, url)):
            await until(lambda: ends_at(source, 10))
            await signed(source, signer, 10)
            await until(lambda: ends_at(source, 20))


async def ends_at(place: Place, size: int) -> bool:
    return (await lines(place))[-1:] == [(size, "police.example")]


async def test_a_witness_that_was_killed_goes_on_where_it_was(
    source: Place, signer: SignerAt, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    log = await signed(source, signer, 10)
    async with police(tmp_path, log) as (key, url, program):
        part = a_gatherer(source, http, key, url)
        await part.once()
        await program.kill()
        await signed(source, signer, 10)
        with pytest.raises(NotCosigned, match="ConnectError"):
            await part.once()
    async with police(tmp_path, log) as (_, url, _):
        assert await a_gatherer(source, http, key, url).once() is not None
    assert await ends_at(source, 20)


async def test_one_whose_line_was_lost_here_says_where_it_stands(
    source: Place, signer: SignerAt, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    """After a restore of the database the witness knows more than the record does."""
    log = await signed(source, signer, 10)
    async with police(tmp_path, log) as (key, url, _):
        await a_gatherer(source, http, key, url).once()
        await source.forced("DELETE FROM record.cosignature")
        await signed(source, signer, 10)
        assert await a_gatherer(source, http, key, url).once() is not None
    assert await ends_at(source, 20)


async def test_a_restored_log_is_another_which_the_witness_has_to_be_told_of(
    source: Place, signer: SignerAt, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    log = await signed(source, signer, 10)
    async with police(tmp_path, log) as (key, url, _):
        await a_gatherer(source, http, key, url).once()
        await begin_new_lineage(source.owner_dsn)
        child = await signed(source, signer, 5)
        with pytest.raises(NotCosigned, match="404"):
            await a_gatherer(source, http, key, url).once()
    async with police(tmp_path, log, child) as (key, url, _):
        assert await a_gatherer(source, http, key, url).once() is not None
    assert child.name == await origin_of(Tx(source.pool), source.jurisdiction, "cases")  # type: ignore[arg-type]


async def never(_: bytes) -> Response:
    await asyncio.sleep(60)
    raise AssertionError("nobody waits so long")


async def test_who_is_slow_or_dead_holds_up_neither_the_log_nor_another(
    source: Place, signer: SignerAt, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    log = await signed(source, signer, 10)
    async with police(tmp_path, log) as (key, url, _), answering(never) as slow:
        dead = a_gatherer(source, http, Key("dead.example", WITNESS, bytes(32)), "http://127.0.0.1:9/add-checkpoint")
        asleep = a_gatherer(source, http, Key("slow.example", WITNESS, bytes(32)), slow)
        log_part = Checkpointer(source.name, source.jurisdiction, source.pool, signer, every=0.0, poll=0.02)
        async with running(asleep, dead, log_part, a_gatherer(source, http, key, url)):
            for _ in range(3):
                await source.fill(10)
                head = await source.number()
                await until(lambda head=head: ends_at(source, head))
        assert dead.refused == "ConnectError" and asleep.refused is None
    assert {witness for _, witness in await lines(source)} == {"police.example"}


def signs_another(body: bytes) -> str:
    return str(cosign(Offer.read(body).note.text.replace("\n10\n", "\n11\n"), FALSE_KEY.name, FALSE, 1_800_000_000))


def another_signs(body: bytes) -> str:
    return str(cosign(Offer.read(body).note.text, FALSE_KEY.name, Ed25519PrivateKey.generate(), 1_800_000_000))


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (200, signs_another, "does not fit"),
        (200, another_signs, "another key"),
        (200, lambda _: "", "lines that sign it"),
        (200, lambda _: "thank you\n", "no signature line"),
        (200, lambda _: "x" * 200_000, "does not end"),
        (409, lambda _: "99\n", "it signed 99 events already"),
        (409, lambda _: "many\n", "409 many"),
        (409, lambda _: "0\n", "409 0"),
        (404, lambda _: "who are you\n", "404 who are you"),
        (422, lambda _: "you lie\n", "422 you lie"),
        (302, lambda _: "elsewhere\n", "302"),
        (500, lambda _: "oh\n", "500 oh"),
    ],
)
async def test_what_a_false_witness_says_is_never_kept(
    source: Place, signer: SignerAt, http: httpx.AsyncClient, status: int, body: Any, why: str
) -> None:
    await signed(source, signer, 10)

    async def answer(asked: bytes) -> Response:
        return PlainTextResponse(body(asked), status)

    async with answering(answer) as url:
        part = a_gatherer(source, http, FALSE_KEY, url)
        with pytest.raises(NotCosigned, match=why):
            await part.once()
        async with running(part):
            await until(lambda: part.refused)
    assert await lines(source) == []


async def test_lines_of_others_beside_the_witnesss_own_are_not_kept(
    source: Place, signer: SignerAt, http: httpx.AsyncClient
) -> None:
    await signed(source, signer, 10)

    async def answer(body: bytes) -> Response:
        own = cosign(Offer.read(body).note.text, FALSE_KEY.name, FALSE, 1_800_000_000)
        return PlainTextResponse(f"{another_signs(body)}{own}")

    async with answering(answer) as url:
        assert await a_gatherer(source, http, FALSE_KEY, url).once() is not None
    [row] = await source.pool.fetch("SELECT line, extract(epoch FROM at)::bigint AS at FROM record.cosignature")
    note = await newest(Tx(source.pool))  # type: ignore[arg-type]
    assert note is not None and note.signed_by([FALSE_KEY]) == {FALSE_KEY: row["at"]} == {FALSE_KEY: 1_800_000_000}


def test_a_policy_that_cannot_be_read_says_its_name_and_line(tmp_path: Path) -> None:
    (tmp_path / "policy").write_text("witness police nonsense\nquorum police\n", "utf-8")
    for file, why in (("policy", "policy: line 1"), ("none", "none: ")):
        with pytest.raises(PolicyFileError, match=f"MINEWATCH_POLICY: {why}"):
            load_policy(tmp_path / file)


def test_a_witness_with_the_towns_own_name_is_no_outsider() -> None:
    own, other = Key("140181101/witness", WITNESS, bytes(32)), Key("1401811012.example", WITNESS, bytes([1]) * 32)
    policy = Policy.read(f"witness own {own}\nwitness other {other} http://w.example/x\nquorum none\n")
    assert outsiders(policy, "140181101") == [other]
    assert policy.urls == {"other": "http://w.example/x"}
