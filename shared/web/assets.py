"""Style sheets and pictures, in memory, under names that hold a hash of their content: kept by browsers for a year."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response

from shared.errors import NotFound

FOLDER = Path(__file__).parent / "static"
SHEET = ("tokens", "page", "forms", "tables", "timeline", "print")
"""The parts of `sheet.css`, in the order in which later ones win."""
FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """`packed` is the same content for browsers that take gzip."""

    content: bytes
    packed: bytes
    media_type: str


class Assets:
    """What one service serves below `/<service>/static/`."""

    def __init__(self, service: str, folder: Path = FOLDER) -> None:
        sheet = b"".join((folder / f"{part}.css").read_bytes() for part in SHEET)
        files = {"sheet.css": sheet} | {p.name: p.read_bytes() for p in sorted(folder.glob("*.svg"))}
        self._names: dict[str, str] = {}
        self._files: dict[str, Asset] = {}
        for name, content in files.items():
            stem, _, suffix = name.rpartition(".")
            hashed = f"{stem}.{hashlib.sha256(content).hexdigest()[:10]}.{suffix}"
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            self._names[name] = f"/{service}/static/{hashed}"
            self._files[hashed] = Asset(content, gzip.compress(content, mtime=0), kind)

    def path(self, name: str) -> str:
        """The address of `sheet.css` or of a picture. Raises KeyError."""
        return self._names[name]

    def router(self) -> APIRouter:
        """Serves them; mounted below `/<service>`."""
        router = APIRouter(include_in_schema=False)

        @router.get("/static/{file}")
        async def static(file: str, request: Request) -> Response:
            asset = self._files.get(file)
            if asset is None:
                raise NotFound(file)
            headers = {"Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"}
            if "gzip" in request.headers.get("accept-encoding", ""):
                return Response(
                    asset.packed, headers=headers | {"Content-Encoding": "gzip"}, media_type=asset.media_type
                )
            return Response(asset.content, headers=headers, media_type=asset.media_type)

        return router
