"""Server programs that outlive whoever started them, and how the next start tells its own from strangers.

A number in a pid file proves nothing: the kernel hands numbers out again, and folders get copied together with their
pid files. So next to `NAME.pid` (the bare number, for people and `kill`) lies `NAME.started` with what else must
match: the moment the process began, the boot of the machine, and the folder it serves. What does not match is never
signalled.
"""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import secrets
import shutil
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import ClassVar, Protocol, Self

from shared.embedded.ports import free_port, is_free
from shared.errors import MinewatchError
from shared.rolling_file import log_limits

NATS_USER = "minewatch"
BARE_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "TZ": "UTC"}
_LOOK = 0.02  # seconds between two looks at a starting or stopping server
_children: list[subprocess.Popen[bytes]] = []  # kept until they end, so that this program reaps them

log = logging.getLogger(__name__)


class AlreadyRunning(MinewatchError):
    """这个数据目录正被另一个程序使用。请先停止那个程序。
    Another program uses this folder. Stop it first."""

    def __init__(self, pid: int, folder: str) -> None:
        super().__init__(
            f"{folder} 正被另一个程序使用（pid {pid}），请先停止它。 Another program (pid {pid}) uses it. Stop that one first."
        )


class ServerDidNotStart(MinewatchError):
    """内置服务器未能启动。原因见日志。
    An embedded server did not start. The end of its log says why."""

    def __init__(self, name: str, reason: str, logged: str = "") -> None:
        super().__init__(f"{name} did not start: {reason}" + (f"\n{logged}" if logged else ""))
        self.logged = logged


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process and no later one with the same number. `began` counts clock ticks since `boot`."""

    pid: int
    began: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """The live process with this number. A zombie is dead: nobody may ever reap it inside a container."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            return None
        state, *fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
        return None if state in "ZX" else cls(pid=pid, began=int(fields[18]), boot=boot)

    @property
    def alive(self) -> bool:
        return ProcessIdentity.of(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Signals this very process; does nothing when it is gone, whoever has its number now."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class PidFile:
    """`path` holds a process's number; `path` with the suffix `.started` holds what proves that it is still the one."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.path = path
        self._proof = path.with_suffix(".started")
        self._folder = str(folder.resolve())

    def write(self, identity: ProcessIdentity, ran: str = "") -> None:
        """`ran` is a digest of the command and settings, so that a later start sees whether they are still the same."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_private(self._proof, json.dumps(asdict(identity) | {"folder": self._folder, "ran": ran}))
        write_private(self.path, f"{identity.pid}\n")

    def live(self) -> ProcessIdentity | None:
        """The process written here, if it lives and serves the same folder; otherwise the files are removed."""
        proof = self._read()
        if proof is not None and proof.get("folder") == self._folder:
            identity = ProcessIdentity.of(int(proof["pid"]))
            if identity is not None and (identity.began, identity.boot) == (proof["began"], proof["boot"]):
                return identity
        self.remove()
        return None

    @property
    def ran(self) -> str:
        return str((self._read() or {}).get("ran", ""))

    def claim(self) -> None:
        """Takes the folder for this program. Raises AlreadyRunning when a live one holds it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            holder = self.live()
            if holder is not None and holder.pid != os.getpid():
                raise AlreadyRunning(holder.pid, self._folder)
            mine = ProcessIdentity.of(os.getpid())
            assert mine is not None, "a running program finds itself in /proc"
            self.write(mine)
        finally:
            os.close(folder)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self._proof.unlink(missing_ok=True)

    def _read(self) -> dict[str, str | int] | None:
        try:
            number, proof = int(self.path.read_text()), json.loads(self._proof.read_text())
        except (OSError, ValueError):
            return None
        complete = isinstance(proof, dict) and proof.keys() >= {"pid", "began", "boot", "folder"}
        return proof if complete and proof["pid"] == number else None


@dataclass(frozen=True, slots=True)
class Access:
    """Port and generated password of a server, kept so that a restart has the same ones. Readable by the owner only."""

    port: int
    password: str

    @classmethod
    def kept_in(cls, path: Path, wanted_port: int | None) -> Self:
        """What the file says, or something new, written there. A remembered port that a stranger took is given up."""
        try:
            kept = cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            kept = cls(port=free_port(), password=secrets.token_hex(24))
        access = replace(kept, port=wanted_port or (kept.port if is_free(kept.port) else free_port()))
        access.keep(path)
        return access

    def keep(self, path: Path) -> None:
        write_private(path, json.dumps(asdict(self)))


class Restartable(Protocol):
    """What `keep_running` looks after."""

    name: str

    @property
    def sound(self) -> bool: ...

    async def start(self) -> None: ...

    async def look_after_log(self) -> None: ...


class EmbeddedServer(ABC):
    """A server on loopback: adopted when it still runs on its folder, else started; stopped within bounds."""

    name: str
    patience: ClassVar[float] = 60.0  # seconds from start to the first answer; recovery after a crash included
    stop_steps: ClassVar[tuple[tuple[signal.Signals, float], ...]]  # what to send, and how long to wait for it

    def __init__(self, folder: Path, run_dir: Path, access_path: Path, log_path: Path, port: int | None) -> None:
        self.folder, self.run_dir = folder.resolve(), run_dir.resolve()
        self._access_path, self._log_path, self._wanted_port = access_path.resolve(), log_path.resolve(), port
        self._pid_file = PidFile(self.run_dir / f"{self.name}.pid", self.folder)
        self._identity: ProcessIdentity | None = None
        self._access: Access | None = None
        self._logged_from = 0  # where in its log the latest start begins

    @property
    def access(self) -> Access:
        """Raises RuntimeError before the first start."""
        if self._access is None:
            raise RuntimeError(f"{self.name} has no address before start()")
        return self._access

    @property
    def pid(self) -> int | None:
        return self._identity.pid if self._identity is not None and self._identity.alive else None

    @property
    def sound(self) -> bool:
        """It runs, and nobody took its folder away."""
        return self.pid is not None

    async def start(self) -> None:
        """Returns when the server answers. Raises ServerDidNotStart with the end of its log."""
        self.run_dir.mkdir(parents=True, exist_ok=True)
        if await self._adopted():
            return
        deadline = asyncio.get_running_loop().time() + self.patience
        # Others know this address, and the server that died may hold it a moment longer than its pid.
        known = self._access.port if self._access is not None else None
        while True:
            self._listen(known)
            await self._prepare()
            self._spawn(self._command())
            try:
                return await self._answered(deadline)
            except ServerDidNotStart as failure:
                if asyncio.get_running_loop().time() > deadline or not self._passes(failure.logged.lower()):
                    raise
                await asyncio.sleep(0.2)

    async def look_after_log(self) -> None:
        """Puts a log aside that has grown beyond its limit, while the server goes on writing it. Raises NoLogLimit."""
        if self._log_is_long():
            await asyncio.to_thread(self._put_log_aside)

    async def stop(self) -> None:
        """Stops the server of this folder, politely first; returns when it is gone. Does nothing when none runs."""
        identity = self._identity if self.pid is not None else self._pid_file.live()
        if identity is not None:
            for number, seconds in (*self.stop_steps, (signal.SIGKILL, 5.0)):
                identity.send(number)
                if await _gone(identity, seconds):
                    break
        self._identity = None
        self._pid_file.remove()

    @abstractmethod
    async def _prepare(self) -> None:
        """Folders and files the command needs."""

    @abstractmethod
    def _command(self) -> list[str]:
        """The whole command line, program first."""

    def _listen(self, known: int | None) -> None:
        """Chooses where the next start listens; `known`: the port that others were told."""
        self._access = Access.kept_in(self._access_path, self._wanted_port or known)

    def _listens(self) -> bool:
        """Whether the running server listens where it is wanted. Raises OSError, ValueError, TypeError when it cannot be told."""
        self._access = Access(**json.loads(self._access_path.read_text()))
        return self._wanted_port in (None, self._access.port)

    @abstractmethod
    async def _answers(self) -> bool:
        """Whether the server serves a client now. Raises ServerDidNotStart when it never will."""

    def _ran(self) -> str:
        """What the digest in the pid file is made of: a running server with another one is restarted."""
        return "\0".join(self._command())

    def _passes(self, logged: str) -> bool:
        """Whether another try may succeed after this log."""
        return self._wanted_port is None and "address already in use" in logged

    async def _adopted(self) -> bool:
        self._identity = self._pid_file.live()
        if self._identity is None:
            return False
        with contextlib.suppress(OSError, ValueError, TypeError):
            if self._listens() and self.sound and self._pid_file.ran == _digest(self._ran()):
                log.info("%s adopted, pid %s", self.name, self.pid)
                with contextlib.suppress(ServerDidNotStart):
                    await self._answered(asyncio.get_running_loop().time() + self.patience)
                    return True
        await self.stop()
        return False

    async def _answered(self, deadline: float) -> None:
        while self.pid is not None:
            if await self._answers():
                return
            if asyncio.get_running_loop().time() > deadline:
                await self.stop()
                raise ServerDidNotStart(self.name, f"no answer in {self.patience:.0f} s", self._tail())
            await asyncio.sleep(_LOOK)
        raise ServerDidNotStart(self.name, "it ended", self._tail())

    def _spawn(self, command: Sequence[str]) -> None:
        """Starts the command once its pid file is written: killed in between, this program leaves no unknown server.

        Its own session keeps the terminal's Ctrl-C away; a bare environment keeps this program's secrets away.
        """
        _children[:] = [child for child in _children if child.poll() is None]
        self._log_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._log_is_long():
            self._put_log_aside()
        gate = ["/bin/sh", "-c", 'read -r go && exec "$@" </dev/null', "gate", *command]
        with open(self._log_path, "ab", opener=_private) as logged:
            self._logged_from = logged.tell()
            child = subprocess.Popen(
                gate,
                stdin=subprocess.PIPE,
                stdout=logged,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=BARE_ENVIRONMENT,
                start_new_session=True,
            )
        _children.append(child)
        self._identity = ProcessIdentity.of(child.pid)
        if self._identity is not None and child.stdin is not None:
            self._pid_file.write(self._identity, _digest(self._ran()))
            with contextlib.suppress(BrokenPipeError), child.stdin as gate_opens:
                gate_opens.write(b"go\n")

    def _log_is_long(self) -> bool:
        with contextlib.suppress(OSError):
            return self._log_path.stat().st_size > log_limits()[0]
        return False

    def _put_log_aside(self) -> None:
        """Copies the log, or its end if nobody looked for long, to NAME.log.1, and empties it; a line written in between is lost.

        It cannot be moved, for the server keeps it open; it writes wherever the end is.
        """
        most, _ = log_limits()
        aside = self._log_path.with_suffix(".log.1")
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)  # first, or a full disk would have no room for the next
            with open(self._log_path, "rb") as logged, open(aside, "wb", opener=_private) as copy:
                logged.seek(max(0, self._log_path.stat().st_size - 2 * most))
                shutil.copyfileobj(logged, copy)
            os.truncate(self._log_path, 0)
            self._logged_from = 0

    def _tail(self) -> str:
        """The last lines this start logged."""
        with contextlib.suppress(OSError), open(self._log_path, "rb") as logged:
            logged.seek(max(self._logged_from, self._log_path.stat().st_size - 4000))
            return logged.read().decode("utf-8", errors="replace").strip()
        return ""


async def keep_running(server: Restartable, pause: float = 2.0) -> None:
    """Starts the server again whenever it is no longer sound, and keeps its log short; ends only when cancelled.

    `pause` seconds lie between noticing and starting, so that a person who stops a server to delete its folder is
    not raced.
    """
    while True:
        await asyncio.sleep(0.5)
        await server.look_after_log()
        if not server.sound:
            log.warning("%s is gone, it is started again in %s s", server.name, pause)
            await asyncio.sleep(pause)
            try:
                await server.start()
            except (ServerDidNotStart, OSError) as failure:
                log.error("%s", failure)


def write_private(path: Path, text: str, synced: bool = False) -> None:
    """Replaces the file in one step; only its owner may read it. `synced`: on the disk are the old one or this, whole."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with open(fresh, "w", encoding="utf-8", opener=_private) as file:
        file.write(text)
        file.flush()
        if synced:
            os.fsync(file.fileno())
    fresh.replace(path)


async def _gone(identity: ProcessIdentity, seconds: float) -> bool:
    clock: Callable[[], float] = asyncio.get_running_loop().time
    deadline = clock() + seconds
    while identity.alive:
        if clock() > deadline:
            return False
        await asyncio.sleep(_LOOK)
    return True


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
