"""Client keys of other departments' systems ("mwk_…"): the file holds their SHA-256, so reading it signs nobody in.

{"clients": [{"name": "police", "sha256": "<hex>", "post": "police_officer", "unit": "police_station", "village": null}]}

A name may stand there twice while its key is being changed.
"""

import contextlib
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from shared.contracts.event import Code
from shared.decider import Actor
from shared.errors import NotReady, NotSignedIn

PREFIX = "mwk_"
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Client(BaseModel):
    """One key of one client, and the post it acts in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Code
    sha256: Digest
    post: Code
    unit: Code
    village: Code | None = None

    @property
    def actor(self) -> Actor:
        return Actor(f"client:{self.name}", self.post, self.unit, self.village)


class ClientFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    clients: tuple[Client, ...] = ()


class Clients:
    """The file as it stands now; read again whenever it changes. Without a file there are no clients."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._read_at: tuple[int, int, int] | None = None
        self._clients: tuple[Client, ...] = ()

    def check(self, key: str) -> Actor:
        """Whose key it is. Raises NotSignedIn for an unknown one, NotReady while the file is broken."""
        digest = digest_of(key)
        found: Client | None = None
        for client in self._current():  # every one is compared, so that the time it takes tells nothing
            if hmac.compare_digest(client.sha256, digest):
                found = client
        if found is None or not key.startswith(PREFIX):
            raise NotSignedIn("no such client key")
        return found.actor

    def _current(self) -> tuple[Client, ...]:
        """A broken file lets nobody in: it may have been changed to shut somebody out."""
        try:
            stat = self._path.stat() if self._path is not None else None
        except FileNotFoundError:
            stat = None
        if stat is None or self._path is None:
            self._read_at, self._clients = None, ()
            return self._clients
        now = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if now != self._read_at:
            self._read_at = None
            self._clients = read_clients(self._path).clients
            self._read_at = now
        return self._clients


def digest_of(key: str) -> str:
    """SHA-256 in hex; a key is random and long, so nothing slower is needed."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def read_clients(path: Path) -> ClientFile:
    """Raises NotReady, naming the file and the first mistake, when it is no client file."""
    try:
        return ClientFile.model_validate_json(path.read_bytes())
    except PermissionError as error:
        raise NotReady(f"{path.name}: this user may not read it") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise NotReady(f"{path.name}: {where}: {first['msg']}") from error


def new_client(path: Path, name: str, post: str, unit: str, village: str | None = None) -> str:
    """A new key for `name`, shown this once; its digest is added to the file. Raises NotReady when the file is broken."""
    key = PREFIX + secrets.token_urlsafe(32)
    client = Client(name=name, sha256=digest_of(key), post=post, unit=unit, village=village)
    known = read_clients(path).clients if path.exists() else ()
    _replace(path, ClientFile(clients=(*known, client)))
    return key


def without_clients(path: Path, gone: Collection[Client]) -> None:
    """Takes these keys out of the file. Raises NotReady when the file is broken."""
    kept = tuple(client for client in read_clients(path).clients if client not in gone)
    _replace(path, ClientFile(clients=kept))


def _replace(path: Path, file: ClientFile) -> None:
    """In one step, so that nobody reads half of it; only its owner may read it, who stays the same where that can be."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    text = json.dumps(file.model_dump(exclude_none=True), ensure_ascii=False, indent=1)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
        if path.exists():
            before = path.stat()
            with contextlib.suppress(PermissionError):
                os.fchown(out.fileno(), before.st_uid, before.st_gid)
    fresh.replace(path)
