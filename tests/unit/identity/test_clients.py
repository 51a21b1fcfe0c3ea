"""Client keys: known by digest only, in force as soon as the file changes, and none while it is broken."""

import hmac
import json
import os
from pathlib import Path
from typing import Any

import pytest

from shared.decider import Actor
from shared.errors import NotReady, NotSignedIn
from shared.identity.clients import Clients, new_client


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "clients.json"


def test_a_key_says_who_calls_and_in_which_post(path: Path) -> None:
    key = new_client(path, "police", "police_officer", "police_station")
    assert key.startswith("mwk_")
    assert Clients(path).check(key) == Actor("client:police", "police_officer", "police_station")


def test_a_client_may_be_bound_to_a_village(path: Path) -> None:
    key = new_client(path, "dulan-gate", "keeper", "dulan", village="140181101207")
    assert Clients(path).check(key).village == "140181101207"


def test_the_key_stands_nowhere_in_the_file(path: Path) -> None:
    key = new_client(path, "police", "police_officer", "police_station")
    assert key not in path.read_text("utf-8")
    assert key.removeprefix("mwk_") not in path.read_text("utf-8")
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("key", ["", "mwk_", "mwk_x", "x", "\u0000", "煤", "mwk_\ud800"])
def test_an_unknown_key_signs_nobody_in(path: Path, key: str) -> None:
    new_client(path, "police", "police_officer", "police_station")
    with pytest.raises(NotSignedIn):
        Clients(path).check(key)


def test_the_digest_is_no_key(path: Path) -> None:
    new_client(path, "police", "police_officer", "police_station")
    digest = json.loads(path.read_text("utf-8"))["clients"][0]["sha256"]
    for key in (digest, f"mwk_{digest}"):
        with pytest.raises(NotSignedIn):
            Clients(path).check(key)


def test_without_a_file_there_are_no_clients(path: Path) -> None:
    for clients in (Clients(None), Clients(path)):
        with pytest.raises(NotSignedIn):
            clients.check("mwk_x")


def test_a_new_client_is_let_in_without_a_restart(path: Path) -> None:
    clients = Clients(path)
    with pytest.raises(NotSignedIn):
        clients.check("mwk_x")
    police = new_client(path, "police", "police_officer", "police_station")
    assert clients.check(police).person == "client:police"
    land = new_client(path, "land", "land_officer", "land_bureau")
    assert [clients.check(key).person for key in (police, land)] == ["client:police", "client:land"]


def test_a_client_taken_out_is_shut_out_without_a_restart(path: Path) -> None:
    clients, key = Clients(path), new_client(path, "police", "police_officer", "police_station")
    clients.check(key)
    path.write_text('{"clients": []}', "utf-8")
    with pytest.raises(NotSignedIn):
        clients.check(key)
    key = new_client(path, "police", "police_officer", "police_station")
    clients.check(key)
    path.unlink()
    with pytest.raises(NotSignedIn):
        clients.check(key)


def test_a_client_may_have_two_keys_while_they_are_changed(path: Path) -> None:
    keys = [new_client(path, "police", "police_officer", "police_station") for _ in range(2)]
    assert {Clients(path).check(key).person for key in keys} == {"client:police"}


ENTRY = {"name": "police", "sha256": "0" * 64, "post": "police_officer", "unit": "police_station"}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "the file"),
        ("[]", "the file"),
        ('{"client": []}', "client"),
        (json.dumps({"clients": [{k: v for k, v in ENTRY.items() if k != "post"}]}), r"clients\.0\.post"),
        (json.dumps({"clients": [ENTRY, ENTRY | {"sha256": "0"}]}), r"clients\.1\.sha256"),
        (json.dumps({"clients": [ENTRY | {"name": "Police Station"}]}), r"clients\.0\.name"),
        (json.dumps({"clients": [ENTRY | {"post": "clerk", "admin": True}]}), r"clients\.0\.admin"),
    ],
)
def test_a_broken_file_lets_nobody_in_and_says_where(path: Path, text: str, where: str) -> None:
    key = new_client(path, "police", "police_officer", "police_station")
    clients = Clients(path)
    clients.check(key)
    good = path.read_text("utf-8")
    path.write_text(text, "utf-8")
    for _ in range(2):
        with pytest.raises(NotReady, match=rf"clients\.json: {where}"):
            clients.check(key)
    path.write_text(good, "utf-8")
    assert clients.check(key).person == "client:police"


def test_a_broken_file_is_not_written_over(path: Path) -> None:
    new_client(path, "police", "police_officer", "police_station")
    path.write_text("{", "utf-8")
    with pytest.raises(NotReady):
        new_client(path, "land", "land_officer", "land_bureau")
    assert path.read_text("utf-8") == "{"


@pytest.mark.parametrize("name", ["", "Police", "client:police x", "a/b"])
def test_a_name_that_is_no_code_is_refused(path: Path, name: str) -> None:
    with pytest.raises(ValueError):
        new_client(path, name, "police_officer", "police_station")
    assert not path.exists()


def test_an_unchanged_file_is_read_once(path: Path) -> None:
    key = new_client(path, "police", "police_officer", "police_station")
    clients = Clients(path)
    clients.check(key)
    stat = path.stat()
    path.write_bytes(b"x" * stat.st_size)  # the same length and time: as good as unchanged
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert clients.check(key).person == "client:police"


def test_every_digest_is_compared_in_constant_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [new_client(path, f"c{n}", "police_officer", "police_station") for n in range(4)]
    compared: list[str] = []
    compare_digest = hmac.compare_digest

    def counted(one: Any, other: Any) -> bool:
        compared.append(one)
        return compare_digest(one, other)

    monkeypatch.setattr(hmac, "compare_digest", counted)
    clients = Clients(path)
    for key in (keys[0], keys[3]):
        compared.clear()
        clients.check(key)
        assert len(compared) == 4
    compared.clear()
    with pytest.raises(NotSignedIn):
        clients.check("mwk_x")
    assert len(compared) == 4
