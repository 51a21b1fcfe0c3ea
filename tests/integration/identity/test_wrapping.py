"""Keys wrapped by a key service: a server on loopback speaks Transit, and what can go wrong there is named with its remedy."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from services.notify.main import describe
from shared.audit.opened import opened
from shared.backup.erasures import Erasures
from shared.backup.key_rows import Kept, KeyFile, take_keys
from shared.backup.load import load_keys
from shared.cli.restoring import _wrapping
from shared.clock import SystemClock
from shared.errors import KeyServiceAway
from shared.identity.key_store import KeyStore
from shared.identity.wrapping import AT_ONCE, EnvironmentWrapper, TransitWrapper, Wrapped, WrongMasterKey, wrapper_of
from shared.service import Service
from shared.settings import KeyService, SettingMissing
from tests.integration.identity.conftest import AUDIENCES, MASTER, Keys
from tests.support.services import Ground
from tests.support.transit import Transit, transit

ROW, OTHER_ROW = b"k-1\x00tip-1\x00office", b"k-2\x00tip-2\x00office"
SECRET = bytes(range(32))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Transit]:
    with transit(tmp_path) as running:
        yield running


@pytest.fixture
async def wrapper(engine: Transit) -> AsyncIterator[TransitWrapper]:
    made = TransitWrapper(engine.at)
    yield made
    await made.close()


async def test_what_was_wrapped_opens_in_its_row_only(wrapper: TransitWrapper, engine: Transit) -> None:
    wrapped = await wrapper.wrap(SECRET, ROW)
    assert wrapped.startswith(b"vault:v1:") and SECRET not in wrapped
    assert await wrapper.unwrap([(wrapped, ROW)]) == [SECRET]
    for failing in (400, 500):  # Vault 1.4 to 1.6 answer 500
        engine.failing = failing
        with pytest.raises(WrongMasterKey, match="message authentication failed"):
            await wrapper.unwrap([(wrapped, ROW), (wrapped, OTHER_ROW)])


async def test_many_are_asked_for_together(wrapper: TransitWrapper, engine: Transit) -> None:
    wrapped = [(await wrapper.wrap(bytes([n]) * 32, ROW), ROW) for n in range(3)]
    engine.asked.clear()
    assert await wrapper.unwrap(wrapped * 100) == [bytes([n]) * 32 for n in range(3)] * 100
    assert engine.asked == [("decrypt", AT_ONCE), ("decrypt", 300 - AT_ONCE)]


async def test_a_key_that_was_rotated_there_opens_what_it_wrapped_before(
    wrapper: TransitWrapper, engine: Transit
) -> None:
    before = await wrapper.wrap(SECRET, ROW)
    engine.keys["minewatch"].append(bytes(32))
    assert (await wrapper.wrap(SECRET, ROW)).startswith(b"vault:v2:")
    assert await wrapper.unwrap([(before, ROW)]) == [SECRET]


async def test_another_key_there_is_a_wrong_master_key(wrapper: TransitWrapper, engine: Transit) -> None:
    wrapped = await wrapper.wrap(SECRET, ROW)
    engine.keys["minewatch"] = [bytes(32)]
    with pytest.raises(WrongMasterKey):
        await wrapper.unwrap([(wrapped, ROW)])


async def test_what_the_other_one_wrapped_is_named(wrapper: TransitWrapper) -> None:
    own = EnvironmentWrapper(MASTER)
    with pytest.raises(WrongMasterKey, match="MINEWATCH_KEY_WRAPPER=environment"):
        await wrapper.unwrap([(await own.wrap(SECRET, ROW), ROW)])
    with pytest.raises(WrongMasterKey, match="MINEWATCH_KEY_WRAPPER=transit"):
        await own.unwrap([(await wrapper.wrap(SECRET, ROW), ROW)])


async def test_an_engine_that_binds_nothing_wraps_nothing(wrapper: TransitWrapper, engine: Transit) -> None:
    engine.old = True
    with pytest.raises(KeyServiceAway, match=r"Vault 1\.9"):
        await wrapper.wrap(SECRET, ROW)


async def test_a_renewed_token_counts_at_once(wrapper: TransitWrapper, engine: Transit) -> None:
    wrapped = await wrapper.wrap(SECRET, ROW)
    engine.gives("s.second")
    assert await wrapper.unwrap([(wrapped, ROW)]) == [SECRET]


Trouble = Callable[[Transit], object]


@pytest.mark.parametrize(
    ("trouble", "remedy"),
    [
        (lambda engine: setattr(engine, "sealed", True), "unseal"),
        (
            lambda engine: setattr(engine, "token", "s.other"),
            "MINEWATCH_KMS_TOKEN: the token is refused; it needs `update`",
        ),
        (lambda engine: engine.at.token.unlink(), "MINEWATCH_KMS_TOKEN: .* cannot be read"),
        (lambda engine: engine.at.token.write_text("煤"), "MINEWATCH_KMS_URL"),
        (lambda engine: engine.keys.clear(), "MINEWATCH_KMS_KEY_NAME: there is no key minewatch"),
    ],
)
async def test_what_is_wrong_there_is_named(
    wrapper: TransitWrapper, engine: Transit, trouble: Trouble, remedy: str
) -> None:
    wrapped = await wrapper.wrap(SECRET, ROW)
    trouble(engine)
    with pytest.raises(KeyServiceAway, match=remedy) as raised:
        await wrapper.unwrap([(wrapped, ROW)])
    assert engine.token not in str(raised.value)
    with pytest.raises(KeyServiceAway, match=remedy):
        await wrapper.wrap(SECRET, ROW)


@pytest.mark.parametrize(
    ("more", "remedy"),
    [
        ({"mount": "elsewhere"}, "MINEWATCH_KMS_MOUNT: no Transit"),
        ({"url": "http://127.0.0.1:1"}, "MINEWATCH_KMS_URL: ConnectError"),
    ],
)
async def test_a_wrong_address_is_named(engine: Transit, more: dict[str, str], remedy: str) -> None:
    wrapper = TransitWrapper(replace(engine.at, **more))
    with pytest.raises(KeyServiceAway, match=remedy):
        await wrapper.wrap(SECRET, ROW)
    await wrapper.close()


# ------------------------------------------------------------------------------------------------ which one


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"MINEWATCH_KEY_WRAPPER": "vault"}, "environment or transit, not vault"),
        ({"MINEWATCH_KEY_WRAPPER": "transit"}, "MINEWATCH_KMS_URL"),
        ({"MINEWATCH_KEY_WRAPPER": "transit", "MINEWATCH_KMS_URL": "https://kms:8200"}, "MINEWATCH_KMS_TOKEN"),
    ],
)
def test_a_setting_that_is_wrong_or_missing_is_named(given: dict[str, str], missing: str) -> None:
    with pytest.raises(SettingMissing, match=missing):
        KeyService.from_environment(given)


@pytest.mark.parametrize(
    "url",
    [
        "http://kms:8200",
        "http://127.0.0.1@kms:8200",
        "http://10.0.0.7:8200",
        "ftp://127.0.0.1",
        "kms:8200",
        "https://kms:eight",
    ],
)
def test_token_and_keys_go_to_no_other_machine_in_the_clear(engine: Transit, url: str) -> None:
    with pytest.raises(SettingMissing, match="MINEWATCH_KMS_URL"):
        TransitWrapper(replace(engine.at, url=url))


@pytest.mark.parametrize("url", ["http://[::1]:8200", "http://localhost:8200", "https://kms:8200"])
async def test_they_go_to_this_machine_or_sealed(engine: Transit, url: str) -> None:
    await TransitWrapper(replace(engine.at, url=url)).close()


async def test_the_setting_chooses(engine: Transit) -> None:
    assert KeyService.from_environment({}) is None
    assert KeyService.from_environment({"MINEWATCH_KEY_WRAPPER": "environment"}) is None
    assert isinstance(wrapper_of(MASTER, None), EnvironmentWrapper)
    assert KeyService.from_environment(engine.environment) == engine.at
    chosen = wrapper_of("", KeyService.from_environment(engine.environment))
    assert isinstance(chosen, TransitWrapper)
    await chosen.close()
    with pytest.raises(SettingMissing, match="MINEWATCH_KMS_CA"):
        TransitWrapper(replace(engine.at, ca=engine.at.token))


# ------------------------------------------------------------------------------------------------ a key store on it


async def a_store(keys: Keys, wrapper: TransitWrapper, role: str = "keys_office") -> KeyStore:
    return KeyStore(await keys.pool(role), wrapper, "intake", AUDIENCES[role])


async def test_a_key_store_makes_opens_and_destroys_keys_with_it(
    keys: Keys, wrapper: TransitWrapper, engine: Transit
) -> None:
    office = await a_store(keys, wrapper)
    made = [await office.sealing_key(f"tip-{n}", "office", f"tip-{n}") for n in range(4)]
    name = await office.sealing_key("i-1", "custodian", "tip-1")
    engine.asked.clear()
    assert await (await a_store(keys, wrapper)).opening_keys(key.key_id for key in made) == {
        key.key_id: key.secret for key in made
    }
    assert engine.asked == [("decrypt", 4)]
    custodian = await a_store(keys, wrapper, "keys_custodian")
    assert await custodian.opening_keys([name.key_id]) == {name.key_id: name.secret}
    assert await custodian.destroy("i-1") == 1
    assert await custodian.opening_keys([name.key_id]) == {}


async def test_while_it_is_away_nothing_counts_as_erased(keys: Keys, wrapper: TransitWrapper, engine: Transit) -> None:
    made = await (await a_store(keys, wrapper)).sealing_key("tip-1", "office", "tip-1")
    reader = await a_store(keys, wrapper)
    engine.sealed = True
    with pytest.raises(KeyServiceAway):
        await reader.opening_keys([made.key_id])
    engine.sealed = False
    assert await reader.opening_keys([made.key_id]) == {made.key_id: made.secret}


async def test_a_copy_of_the_keys_is_put_back_where_the_service_opens_them(
    keys: Keys, wrapper: TransitWrapper, engine: Transit, tmp_path: Path
) -> None:
    made = await (await a_store(keys, wrapper)).sealing_key("tip-1", "office", "tip-1")
    superuser, path = await keys.superuser(), tmp_path / "keys.copy.gz"
    async with superuser.acquire() as connection:
        await take_keys(path, connection, "140181101")
    await superuser.execute("DELETE FROM key")
    dsn, copy = keys.templates.dsn(keys.database), KeyFile.read(path)
    with pytest.raises(WrongMasterKey, match="MINEWATCH_KEY_WRAPPER=transit"):
        await load_keys(Kept(copy, Erasures(), EnvironmentWrapper(MASTER)), dsn)
    engine.sealed = True
    with pytest.raises(KeyServiceAway, match="unseal"):
        await load_keys(Kept(copy, Erasures(), wrapper), dsn)
    assert await superuser.fetchval("SELECT count(*) FROM key") == 0
    engine.sealed = False
    assert await load_keys(Kept(copy, Erasures(), wrapper), dsn) == 1
    assert await (await a_store(keys, wrapper)).opening_keys([made.key_id]) == {made.key_id: made.secret}


async def test_a_restore_asks_the_one_that_the_setting_names_and_closes_it(
    engine: Transit, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with _wrapping("") as none:
        assert none is None and "MINEWATCH_MASTER_KEY is not set" in capsys.readouterr().out
    async with _wrapping(MASTER) as own:
        assert isinstance(own, EnvironmentWrapper)
    for name, value in engine.environment.items():
        monkeypatch.setenv(name, value)
    async with _wrapping(MASTER) as chosen:
        assert isinstance(chosen, TransitWrapper)
        await chosen.wrap(SECRET, ROW)
    with pytest.raises(RuntimeError, match="closed"):
        await chosen.wrap(SECRET, ROW)


async def test_a_service_seals_with_it_and_whoever_looks_at_its_record_opens_with_it(
    ground: Ground, engine: Transit, keys: Keys, tmp_path: Path
) -> None:
    database = await ground.templates.copy("notify")
    settings = ground.settings("notify", database, keys.database, tmp_path, "140181101", key_service=engine.at)
    service = Service(describe(), settings, SystemClock())
    await service.open()
    kept = await service.sealer.seal_bytes(b"x", "message-1")
    await service.close()
    async with opened(describe(), settings) as record:
        assert await record.sealer.open_bytes(kept, "message-1") == b"x"
    assert [what for what, _ in engine.asked] == ["encrypt", "decrypt", "decrypt", "decrypt"]
    async with opened(describe(), replace(settings, key_service=None)) as record:
        with pytest.raises(WrongMasterKey, match="MINEWATCH_KEY_WRAPPER=transit"):
            await record.sealer.open_bytes(kept, "message-1")
    await ground.templates.drop(database)


class Slow(EnvironmentWrapper):
    """Answers when it is told to."""

    def __init__(self) -> None:
        super().__init__(MASTER)
        self.asked, self.may = asyncio.Event(), asyncio.Event()

    async def unwrap(self, many: Sequence[Wrapped]) -> list[bytes]:
        self.asked.set()
        await self.may.wait()
        return await super().unwrap(many)


async def test_what_was_erased_while_it_was_being_opened_is_not_remembered(keys: Keys) -> None:
    made = await (await keys.store()).sealing_key("i-1", "office", "tip-1")
    slow = Slow()
    reader = KeyStore(await keys.pool(), slow, "intake", AUDIENCES["keys_office"])
    opening = asyncio.create_task(reader.opening_keys([made.key_id]))
    await slow.asked.wait()
    await (await keys.store("keys_custodian")).destroy("i-1")
    reader.forget("i-1")
    slow.may.set()
    await opening
    assert await reader.opening_keys([made.key_id]) == {}
