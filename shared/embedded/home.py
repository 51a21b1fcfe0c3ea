"""The folder of an embedded town: where everything lies, and the secrets made on its first day.

DIR/postgres   the databases          DIR/keys     secrets.json, clients.json (0600)
DIR/nats       JetStream              DIR/plans    the plan files, by name
DIR/run        pid files, mail        DIR/logs     minewatch.jsonl, traces.jsonl, and the servers' own
DIR/signer     signs the logs         DIR/policy   whose signatures count
DIR/witness    signs with it, for show
"""

import base64
import json
import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from shared.backup.manifest import sync_folder
from shared.database import SCRATCH, dsn_of, role_names
from shared.embedded.processes import write_private
from shared.identity.token_keys import fresh_pair
from shared.settings import KeyService, Settings
from shared.signer.folder import SignerFolder

NEXT = "next_master_key"
"""In secrets.json while keys may already be under it."""


def fresh_master_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True)
class Home:
    """`folder` is made when it is not there."""

    folder: Path

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def plans(self) -> Path:
        return self.folder / "plans"

    @property
    def signer(self) -> Path:
        return self.folder / "signer"

    @property
    def policy(self) -> Path:
        return self.folder / "policy"

    @property
    def clients(self) -> Path:
        return self.folder / "keys" / "clients.json"

    @property
    def mail(self) -> str | None:
        """The mail server that the town runs with, or was last started with."""
        path = self.run / "mail"
        return path.read_text("utf-8") if path.exists() else None

    def keep_mail(self, mail: str | None) -> None:
        """For whoever looks at the town from outside."""
        path = self.run / "mail"
        if mail is None:
            path.unlink(missing_ok=True)
        else:
            write_private(path, mail)

    @property
    def known(self) -> bool:
        """Whether a town lives here already."""
        return self._secrets_path.exists()

    @property
    def _secrets_path(self) -> Path:
        return self.folder / "keys" / "secrets.json"

    @cached_property
    def secrets(self) -> dict[str, Any]:
        """Read, or made and kept on the first call."""
        if self._secrets_path.exists():
            kept: dict[str, Any] = json.loads(self._secrets_path.read_text("utf-8"))
            if SCRATCH not in kept["passwords"]:  # a town of 0.1
                kept["passwords"][SCRATCH] = secrets.token_urlsafe(24)
                write_private(self._secrets_path, json.dumps(kept, indent=1))
            return kept
        self._secrets_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        public, private = fresh_pair()
        made = {
            "passwords": {role: secrets.token_urlsafe(24) for role in (*role_names(), SCRATCH)},
            "secret": secrets.token_urlsafe(48),
            "master_key": fresh_master_key(),
            "token_private": private,
            "token_public": public,
        }
        write_private(self._secrets_path, json.dumps(made, indent=1))
        return made

    @property
    def changes_master_key(self) -> bool:
        """Whether keys may be under two: a change was begun, and has not come to its end."""
        return NEXT in self.secrets

    def begin_master_key(self, key: str) -> None:
        """Keeps `key` beside the present one, on the disk, before anything is wrapped with it."""
        self._keep({**self.secrets, NEXT: key})

    def change_master_key(self, key: str) -> None:
        """`key` takes the place of the present one, which is in no file any more. Empty where a key service does that."""
        self._keep({name: value for name, value in self.secrets.items() if name != NEXT} | {"master_key": key})

    def _keep(self, kept: dict[str, Any]) -> None:
        write_private(self._secrets_path, json.dumps(kept, indent=1), synced=True)
        sync_folder(self._secrets_path.parent)
        self.__dict__.pop("secrets", None)

    def settings(self, service: str, jurisdiction: str, postgres: str, nats: str) -> Settings:
        """`postgres`: any address of the embedded server; `nats`: its address with credentials."""
        kept, passwords = self.secrets, self.secrets["passwords"]
        webhooks = self.folder / "keys" / "webhooks.json"
        signer = SignerFolder(self.signer)
        custodian = dsn_of(postgres, "keys", "keys_custodian", passwords["keys_custodian"])
        return Settings(
            service=service,
            jurisdiction=jurisdiction,
            app_dsn=dsn_of(postgres, service, f"{service}_app", passwords[f"{service}_app"]),
            log_dsn=dsn_of(postgres, service, f"{service}_log", passwords[f"{service}_log"]),
            keys_dsn=dsn_of(postgres, "keys", "keys_office", passwords["keys_office"]),
            nats_url=nats,
            plans=self.plans,
            secret=kept["secret"].encode(),
            master_key=kept["master_key"],
            key_service=KeyService.from_environment(),
            token_public=kept["token_public"],
            token_private=kept["token_private"],
            clients=self.clients,
            keys_custodian_dsn=custodian if service == "intake" else None,
            mail=self.mail,
            webhooks=webhooks if webhooks.exists() else None,
            signer=signer.socket if signer.made else None,
            policy=self.policy if signer.made else None,
            scratch_dsn=dsn_of(postgres, "postgres", SCRATCH, passwords[SCRATCH]),
        )
