"""The signer's door: a Unix socket, one request a connection. The asker sends, and closes its half; the answer is a line with
the status, and a text. `key` asks for the public key, in base64; everything else is a request to sign."""

import base64
import contextlib
import fcntl
import os
import socketserver
from collections.abc import Iterator
from pathlib import Path

from shared.signer.signer import Signer
from shared.transparency.note import MOST_BYTES
from shared.witness.cosigner import Answer
from shared.witness.folder import FolderRefused

PATIENCE = 2.0
"""Seconds for one who asks: the next one waits meanwhile."""
KEY = b"key\n"


@contextlib.contextmanager
def short(path: Path) -> Iterator[str]:
    """An address of `path` that fits a socket, which takes some 100 bytes, however deep the folder lies."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def serve(signer: Signer, socket: Path) -> Iterator[None]:
    """Yields once, when it may be asked; then answers, one after another, until the program ends. Raises FolderRefused when
    another signer answers there."""
    lock = os.open(socket.with_name(f"{socket.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FolderRefused(f"another signer answers at {socket}") from None
    socket.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        with short(socket) as address:
            server = socketserver.UnixStreamServer(address, _answering(signer))
    finally:
        os.umask(before)
    with server:
        yield
        server.serve_forever()


def _answering(signer: Signer) -> type[socketserver.StreamRequestHandler]:
    class OneRequest(socketserver.StreamRequestHandler):
        timeout = PATIENCE

        def handle(self) -> None:
            with contextlib.suppress(OSError):  # whoever asked is gone, or took too long
                body = self.rfile.read(MOST_BYTES)
                answer = _about(signer) if body == KEY else signer.answer(body)
                self.wfile.write(f"{answer.status}\n{answer.body}".encode())

    return OneRequest


def _about(signer: Signer) -> Answer:
    return Answer(200, f"{base64.b64encode(signer.public).decode()}\n")
