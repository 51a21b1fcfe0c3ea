"""The folder of an embedded town: where everything lies, and the secrets made on its first day.

DIR/postgres   the databases          DIR/keys     secrets.json, clients.json (0600)
DIR/nats       JetStream              DIR/plans    the plan files, by name
DIR/run        pid files              DIR/logs     minewatch.jsonl, traces.jsonl, and the servers' own
"""

import base64
import json
import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.database import dsn_of, role_names
from shared.embedded.processes import write_private
from shared.settings import Settings


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
    def clients(self) -> Path:
        return self.folder / "keys" / "clients.json"

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
            return kept
        self._secrets_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        private = Ed25519PrivateKey.generate()
        made = {
            "passwords": {role: secrets.token_urlsafe(24) for role in role_names()},
            "secret": secrets.token_urlsafe(48),
            "master_key": base64.b64encode(secrets.token_bytes(32)).decode(),
            "token_private": private.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ).decode(),
            "token_public": private.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode(),
        }
        write_private(self._secrets_path, json.dumps(made, indent=1))
        return made

    def settings(self, service: str, jurisdiction: str, postgres: str, nats: str, mail: str | None = None) -> Settings:
        """`postgres`: any address of the embedded server; `nats`: its address with credentials."""
        kept, passwords = self.secrets, self.secrets["passwords"]
        webhooks = self.folder / "keys" / "webhooks.json"
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
            token_public=kept["token_public"],
            token_private=kept["token_private"],
            clients=self.clients,
            mail=mail,
            webhooks=webhooks if webhooks.exists() else None,
        )
