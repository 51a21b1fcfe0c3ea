"""What a service is told from outside, by environment variables with the prefix MINEWATCH_."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.errors import MinewatchError

SERVICES = ("intake", "cases", "reporting", "notify")
PARTS = ("web", "sequencer", "relay", "receiver", "follower", "timers", "jobs", "checkpoint")


class SettingMissing(MinewatchError):
    """A setting that the service cannot run without is not given."""


def renewed(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """As it will be when each MINEWATCH_NEW_… that is given has taken the place of the one without NEW_."""
    given = {name: value for name, value in environment.items() if name.startswith("MINEWATCH_NEW_") and value}
    return {**environment, **{name.replace("NEW_", "", 1): value for name, value in given.items()}}


@dataclass(frozen=True)
class KeyService:
    """A key management service that speaks the Transit API of Vault and OpenBao (MINEWATCH_KEY_WRAPPER=transit).

    url: https://host:8200; key: the name of its key; token: the file that holds the token, read anew for each request; mount:
    where the engine stands, a namespace before it; ca: the PEM of who signed its certificate, None for those the system trusts.
    """

    url: str
    token: Path
    key: str = "minewatch"
    mount: str = "transit"
    ca: Path | None = None

    @staticmethod
    def from_environment(environment: Mapping[str, str] = os.environ) -> "KeyService | None":
        """None where the master key wraps. Raises SettingMissing."""
        match environment.get("MINEWATCH_KEY_WRAPPER") or "environment":
            case "environment":
                return None
            case "transit":
                pass
            case other:
                raise SettingMissing(f"MINEWATCH_KEY_WRAPPER is environment or transit, not {other}")
        for name in ("MINEWATCH_KMS_URL", "MINEWATCH_KMS_TOKEN"):
            if not environment.get(name):
                raise SettingMissing(f"set {name}, for MINEWATCH_KEY_WRAPPER=transit")
        ca = environment.get("MINEWATCH_KMS_CA")
        return KeyService(
            url=environment["MINEWATCH_KMS_URL"],
            token=Path(environment["MINEWATCH_KMS_TOKEN"]),
            key=environment.get("MINEWATCH_KMS_KEY_NAME") or "minewatch",
            mount=environment.get("MINEWATCH_KMS_MOUNT") or "transit",
            ca=Path(ca) if ca else None,
        )


@dataclass(frozen=True)
class Settings:
    """One service's settings.

    *_dsn: postgresql:// addresses of the roles <svc>_app, <svc>_log and of the key store; nats_url with credentials;
    secret: 32 bytes or more, the root of receipts and signatures; master_key: base64 of the 32 bytes that wrap all keys, empty
    where key_service does that;
    token_private/token_public: Ed25519 in PEM (the private one only where tokens are issued);
    keys_custodian_dsn: the key store as the custodian sees it, given only where informants' identities may be opened and erased;
    keep: how many messages the stream holds, None for all; mail: smtp://user:password@host:port?from=address, None where no
    mail is sent; webhooks: the file of those who are called, None where nobody is;
    scratch_dsn: a database of a server, as a role that may make others there, for read models of another moment;
    signer: the socket of the program that signs the log, None where nobody does; policy: the file that names its witnesses.
    """

    service: str
    jurisdiction: str
    app_dsn: str
    log_dsn: str
    keys_dsn: str
    nats_url: str
    plans: Path
    secret: bytes
    master_key: str
    token_public: str
    key_service: KeyService | None = None
    token_private: str | None = None
    clients: Path | None = None
    keys_custodian_dsn: str | None = None
    keep: int | None = None
    mail: str | None = None
    webhooks: Path | None = None
    scratch_dsn: str | None = None
    signer: Path | None = None
    policy: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    pool: int = 8

    @staticmethod
    def from_environment(service: str, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Raises SettingMissing, naming the variable."""

        def need(name: str) -> str:
            key = f"MINEWATCH_{name}"
            if not environment.get(key):
                raise SettingMissing(f"set {key} for the service {service}")
            return environment[key]

        def maybe(name: str) -> str | None:
            return environment.get(f"MINEWATCH_{name}") or None

        def path(name: str) -> Path | None:
            value = maybe(name)
            return Path(value) if value else None

        keep, key_service = maybe("STREAM_KEEP"), KeyService.from_environment(environment)
        return Settings(
            service=service,
            jurisdiction=need("JURISDICTION"),
            app_dsn=need(f"{service.upper()}_APP_DSN"),
            log_dsn=need(f"{service.upper()}_LOG_DSN"),
            keys_dsn=need("KEYS_DSN"),
            nats_url=need("NATS_URL"),
            plans=Path(need("PLANS")),
            secret=need("SECRET").encode(),
            master_key=need("MASTER_KEY") if key_service is None else "",
            key_service=key_service,
            token_public=need("TOKEN_PUBLIC").replace("\\n", "\n"),
            token_private=(maybe("TOKEN_PRIVATE") or "").replace("\\n", "\n") or None,
            clients=path("CLIENTS"),
            keys_custodian_dsn=maybe("KEYS_CUSTODIAN_DSN"),
            keep=int(keep) if keep else None,
            mail=maybe("MAIL"),
            webhooks=path("WEBHOOKS"),
            scratch_dsn=maybe("SCRATCH_DSN"),
            signer=path("SIGNER"),
            policy=path("POLICY"),
            host=maybe("HOST") or "127.0.0.1",
            port=int(maybe("PORT") or "8080"),
        )
