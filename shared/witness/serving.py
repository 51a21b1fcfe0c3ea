"""A witness's web server, for whoever starts it: a person, or the town that runs one for show."""

from collections.abc import Callable
from pathlib import Path

import uvicorn

from shared.witness.folder import WitnessFolder
from shared.witness.web import web_of


def serve(folder: Path, host: str, port: int, say: Callable[[str], None]) -> None:
    """Until it is told to stop. Raises FolderRefused."""
    cosigner, key = WitnessFolder(folder).open()
    config = uvicorn.Config(
        web_of(cosigner, str(key)),
        host=host,
        port=port,
        log_config=None,
        lifespan="off",
        loop="asyncio",
        http="h11",
        ws="none",
    )
    bound = config.bind_socket()
    # Who asks as soon as it says that it is ready is heard a moment later, and not refused.
    bound.listen(config.backlog)
    say(f"ready http://{host}:{bound.getsockname()[1]} {key} {len(cosigner.logs)} logs")
    uvicorn.Server(config).run(sockets=[bound])
