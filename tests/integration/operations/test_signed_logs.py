"""A running service has its log signed and witnessed, and says everywhere how far, by whom, and what that proves."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prometheus_client.parser import text_string_to_metric_families
from starlette.responses import PlainTextResponse, Response

from shared.transparency.note import WITNESS, Key, Note, cosign
from shared.witness.cosigner import Offer
from tests.support.commands import command, environment_of
from tests.support.kernel import until
from tests.support.services import Ground, Town, a_service
from tests.support.signing import Program, a_signer, answering

PRIVATE = {name: Ed25519PrivateKey.generate() for name in ("own", "police", "land")}
SITE = {"name": "河湾采石场", "village": "140181101207", "category": "abandoned_shaft"}
ALONE_ZH, ALONE_EN = "没有外部见证", "No outside witness"


@dataclass
class Signed:
    town: Town
    signer: Program
    policy: Path

    @property
    def cases(self) -> Any:
        return self.town.services["cases"]

    async def head(self) -> int:
        head: int = await self.cases.pool.fetchval("SELECT position FROM work.head")
        return head

    async def page(self, lang: str) -> str:
        answer = await self.town.http.get(f"/cases/status?lang={lang}", headers=self.town.headers("auditor"))
        assert answer.status_code == 200
        return answer.text

    async def kinds(self) -> set[str]:
        told = (await self.town.http.get("/cases/v1/status", headers=self.town.headers("auditor"))).json()
        return {finding["kind"] for finding in told["findings"]}

    async def trail(self) -> dict[str, Any]:
        told = (await self.town.http.get("/cases/v1/status", headers=self.town.headers("auditor"))).json()
        trail: dict[str, Any] = told["trail"]
        return trail

    async def measured(self) -> dict[str, float]:
        text = (await self.town.http.get("/cases/metrics")).text
        samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
        return {s.name.removeprefix("minewatch_") + s.labels.get("witness", ""): s.value for s in samples}


def key(name: str, town: str) -> Key:
    signs_as = f"{town}/own-witness" if name == "own" else f"{name}.example"
    return Key(signs_as, WITNESS, PRIVATE[name].public_key().public_bytes_raw())


@asynccontextmanager
async def a_signed_town(ground: Ground, tmp_path: Path, quorum: str, *witnesses: str) -> AsyncIterator[Signed]:
    """`witnesses` sign whatever they are shown; the policy names them all, police and land besides."""
    town = f"t{secrets.token_hex(4)}"

    async def signs(body: bytes) -> Response:
        text = Offer.read(body).note.text
        names = {name: key(name, town).name for name in witnesses}
        now = int(datetime.now(UTC).timestamp())
        return PlainTextResponse("".join(str(cosign(text, names[name], PRIVATE[name], now)) for name in witnesses))

    async with (
        answering(signs) as url,
        a_signer(tmp_path / "signer", f"{town}/cases") as (signer, program),
    ):
        lines = [f"witness {name} {key(name, town)} {url.removesuffix('/add-checkpoint')}" for name in witnesses]
        policy = tmp_path / "policy"
        policy.write_text("\n".join([*lines, quorum.strip()]), "utf-8")
        async with a_service(ground, town=town, signer=signer.socket, policy=policy) as made:
            part = made.services["cases"].log_signing.checkpointer
            assert part is not None
            part.every = part.poll = 0.05
            yield Signed(made, program, policy)


async def signed_up_to_its_end(signed: Signed) -> bool:
    trail = await signed.trail()
    return trail["size"] == await signed.head() and all(w["size"] == trail["size"] for w in trail["witnesses"])


async def test_without_an_outside_witness_it_says_what_the_signatures_do_not_prove(
    ground: Ground, tmp_path: Path
) -> None:
    async with a_signed_town(ground, tmp_path, "quorum none", "own") as signed:
        await until(lambda: signed_up_to_its_end(signed))
        head = await signed.head()
        zh, en = await signed.page("zh"), await signed.page("en")
        assert ALONE_ZH in zh and ALONE_EN in en
        assert f"<dd>第 {head} 个事件</dd>" in zh and "本单位自有" in zh and "未要求" in zh
        assert not {"CheckpointBehind", "QuorumNotMet", "PolicyUnread"} & await signed.kinds()
        said = await command(environment_of(signed.cases.settings), "status", "cases")
        assert ALONE_ZH in said.text and ALONE_EN in said.text
        assert f"{head} events, signed" in said.text and "own-witness, this town's own" in said.text
        card = await signed.town.get("/cases/v1/log")
        note, log = Note.read(card["checkpoint"].encode()), Key.read(card["log_vkey"])
        assert log in note.signed_by([log]) and note.text.startswith(f"{card['origin']}\n{head}\n")


@pytest.mark.parametrize(
    ("quorum", "signing"),
    [
        ("quorum none", ("own", "police")),
        ("quorum own", ("own", "police")),
        ("group g any own police\nquorum g", ("own", "police")),
        ("witness police {police}\nquorum police", ("own",)),
        ("witness police {police}\ngroup g all own police\nquorum g", ("own",)),
        ("group g all own police\nquorum g", ("own", "police")),
    ],
    ids=[
        "asked for nobody",
        "asked for its own",
        "its own will do",
        "named and silent",
        "named beside its own and silent",
        "counted beside its own",
    ],
)
async def test_that_an_outsider_is_named_or_signs_unasked_is_not_enough_for_it(
    ground: Ground, tmp_path: Path, quorum: str, signing: tuple[str, ...]
) -> None:
    async with a_signed_town(ground, tmp_path, quorum.format(police=key("police", "")), *signing) as signed:
        await until(lambda: every_one_signed(signed, signing))
        assert (await signed.trail())["outside"] is False
        assert ALONE_ZH in await signed.page("zh") and ALONE_EN in await signed.page("en")


async def every_one_signed(signed: Signed, names: tuple[str, ...]) -> bool:
    sizes = {w["name"]: w["size"] for w in (await signed.trail())["witnesses"]}
    town, head = signed.cases.settings.jurisdiction, await signed.head()
    return all(sizes[key(name, town).name] == head > 0 for name in names)


async def test_with_outside_witnesses_it_says_how_far_each_signed_and_whether_they_are_enough(
    ground: Ground, tmp_path: Path
) -> None:
    quorum = "group outside 2 police land\nquorum outside"
    async with a_signed_town(ground, tmp_path, quorum, "own", "police", "land") as signed:
        log = (await signed.town.get("/cases/v1/log"))["log_vkey"]
        with signed.policy.open("a", encoding="utf-8") as file:
            file.write(f"\nlog {log}\n")  # the operator names the log once it has a name
        await until(lambda: signed_up_to_its_end(signed))
        head = await signed.head()
        zh = await signed.page("zh")
        assert ALONE_ZH not in zh and "police.example" in zh
        trail = await signed.trail()
        assert trail["outside"] is True
        assert (trail["quorum"], trail["quorum_missing"]) == (head, None)
        assert {w["name"]: w["own"] for w in trail["witnesses"]}["land.example"] is False
        seen = await signed.measured()
        assert seen["checkpoint_size"] == seen["quorum_size"] == seen["cosigned_sizepolice.example"] == head > 0
        assert seen["unsigned_oldest_seconds"] == seen["quorum_behind_seconds"] == 0


async def test_a_quorum_that_is_not_met_is_a_trouble(ground: Ground, tmp_path: Path) -> None:
    town_witness = "witness land " + str(key("land", "")) + "\n"
    async with a_signed_town(
        ground, tmp_path, f"{town_witness}group outside all police land\nquorum outside", "police"
    ) as signed:
        log = (await signed.town.get("/cases/v1/log"))["log_vkey"]
        with signed.policy.open("a", encoding="utf-8") as file:
            file.write(f"\nlog {log}\n")
        await until(lambda: police_signed(signed))
        trail = await signed.trail()
        assert (trail["quorum"], trail["quorum_missing"]) == (0, "outside is not met: police signed")
        assert "QuorumNotMet" in await signed.kinds()
        assert (await signed.measured())["quorum_behind_seconds"] == float("inf")


async def police_signed(signed: Signed) -> bool:
    by_name = {w["name"]: w["size"] for w in (await signed.trail())["witnesses"]}
    return by_name["police.example"] == await signed.head() > 0


async def test_a_log_that_waits_for_its_signer_is_a_trouble_and_is_served_all_the_same(
    ground: Ground, tmp_path: Path
) -> None:
    async with a_signed_town(ground, tmp_path, "quorum none", "own") as signed:
        await until(lambda: signed_up_to_its_end(signed))
        await signed.signer.kill()
        size = await signed.head()
        await signed.town.post("/cases/v1/sites", SITE, signed.town.headers("clerk"))
        await signed.town.settled()
        assert "CheckpointBehind" not in await signed.kinds(), "it is a moment old"
        database = signed.cases.settings.app_dsn.rsplit("/", 1)[1]
        later = "SET session_replication_role = replica; UPDATE record.checkpoint SET signed_at = signed_at - interval '2 min'"
        await ground.templates.run(later, database)
        signed.town.clock.move_to(datetime(2018, 1, 22, 2, tzinfo=UTC))
        assert "CheckpointBehind" in await signed.kinds()
        assert (await signed.measured())["unsigned_oldest_seconds"] > 60
        assert (await signed.town.http.get("/cases/health/ready")).status_code == 200
        assert (await signed.town.get("/cases/v1/log"))["log_vkey"] is None
        assert (await signed.trail())["size"] == size


async def test_a_log_that_the_signer_refuses_is_said_with_the_reason(ground: Ground, tmp_path: Path) -> None:
    async with a_signed_town(ground, tmp_path, "quorum none", "own") as signed:
        await until(lambda: signed_up_to_its_end(signed))
        database = signed.cases.settings.app_dsn.rsplit("/", 1)[1]
        altered = "SET session_replication_role = replica; UPDATE record.log SET leaf = sha256('x') WHERE position = 2"
        await ground.templates.run(altered, database)
        await signed.town.post("/cases/v1/sites", SITE, signed.town.headers("clerk"))

        async def refused() -> bool:
            return "PartStopped" in await signed.kinds()

        await until(refused)
        assert "did not grow" in await signed.page("en")
        assert (await signed.town.http.get("/cases/health/ready")).status_code == 200


async def test_a_policy_that_cannot_be_read_any_more_is_a_trouble(ground: Ground, tmp_path: Path) -> None:
    async with a_signed_town(ground, tmp_path, "quorum none", "own") as signed:
        signed.policy.write_text("quorum nobody\n", "utf-8")
        assert "PolicyUnread" in await signed.kinds()
        assert "line 1: nobody is not defined above" in await signed.page("en")


@pytest.mark.parametrize("lang", ["zh", "en"])
async def test_where_nobody_signs_that_is_what_it_says(ground: Ground, lang: str) -> None:
    async with a_service(ground) as town:
        page = (await town.http.get(f"/cases/status?lang={lang}", headers=town.headers("auditor"))).text
    assert ("无签名程序" if lang == "zh" else "nobody signs this log") in page
    assert (ALONE_ZH if lang == "zh" else ALONE_EN) in page
