"""A server that speaks the Transit API as Vault and OpenBao do, over HTTP on loopback: statuses, words and batches are theirs.

After `builtin/logical/transit` (path_encrypt, path_decrypt, policy): associated data in base64, one error for each of a batch,
400 where all or some failed, and 500 instead in Vault 1.4 to 1.6.
"""

import base64
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.settings import KeyService

Answer = tuple[int, dict[str, Any]]


@dataclass
class Transit:
    """`keys`: name -> its versions, the newest last. `old`: associated data is passed over, as before 1.9."""

    folder: Path
    keys: dict[str, list[bytes]] = field(default_factory=lambda: {"minewatch": [os.urandom(32)]})
    token: str = "s.first"
    sealed: bool = False
    old: bool = False
    failing: int = 400
    port: int = 0
    asked: list[tuple[str, int]] = field(default_factory=list)

    @property
    def at(self) -> KeyService:
        return KeyService(f"http://127.0.0.1:{self.port}", self.folder / "token")

    @property
    def environment(self) -> dict[str, str]:
        return {
            "MINEWATCH_KEY_WRAPPER": "transit",
            "MINEWATCH_KMS_URL": self.at.url,
            "MINEWATCH_KMS_TOKEN": str(self.at.token),
        }

    def gives(self, token: str) -> None:
        """Another token counts from now on; whoever reads the file gets it."""
        self.token = token
        (self.folder / "token").write_text(f"{token}\n", "utf-8")

    def answer(self, path: str, token: str | None, body: dict[str, Any]) -> Answer:
        if self.sealed:
            return 503, {"errors": ["Vault is sealed"]}
        if token != self.token:
            return 403, {"errors": ["permission denied"]}
        match path.strip("/").split("/"):
            case ["v1", "transit", "encrypt", name]:
                return self._encrypted(name, body)
            case ["v1", "transit", "decrypt", name]:
                return self._decrypted(name, body)
        return 404, {"errors": [f'no handler for route "{path}". route entry not found.']}

    def _encrypted(self, name: str, body: dict[str, Any]) -> Answer:
        if name not in self.keys:
            return 400, {"errors": ["encryption key not found"]}
        nonce, version = os.urandom(12), len(self.keys[name])
        sealed = nonce + AESGCM(self.keys[name][-1]).encrypt(nonce, _raw(body["plaintext"]), self._aad(body))
        return 200, {"data": {"ciphertext": f"vault:v{version}:{base64.b64encode(sealed).decode()}"}}

    def _decrypted(self, name: str, body: dict[str, Any]) -> Answer:
        if name not in self.keys:
            return 400, {"errors": ["encryption key not found"]}
        results = [self._one(name, each) for each in body["batch_input"]]
        failed = any("error" in each for each in results)
        if failed and self.failing == 500:
            return 500, {"errors": ["1 error occurred:\n\t* cipher: message authentication failed\n\n"]}
        return (400 if failed else 200), {"data": {"batch_results": results}}

    def _one(self, name: str, asked: dict[str, Any]) -> dict[str, str]:
        prefix, _, rest = asked["ciphertext"].partition(":v")
        version, _, content = rest.partition(":")
        if prefix != "vault":
            return {"error": "invalid ciphertext: no prefix"}
        if int(version) > len(self.keys[name]):
            return {"error": "invalid ciphertext: version is too new"}
        raw = _raw(content)
        try:
            plain = AESGCM(self.keys[name][int(version) - 1]).decrypt(raw[:12], raw[12:], self._aad(asked))
        except InvalidTag:
            return {"error": "cipher: message authentication failed"}
        return {"plaintext": base64.b64encode(plain).decode()}

    def _aad(self, asked: dict[str, Any]) -> bytes:
        return b"" if self.old else _raw(asked.get("associated_data", ""))


def _raw(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


@contextmanager
def transit(folder: Path) -> Iterator[Transit]:
    """Runs in a thread of its own until the end."""
    engine = Transit(folder)
    engine.gives(engine.token)

    class Speaking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, told = engine.answer(self.path, self.headers.get("X-Vault-Token"), body)
            engine.asked.append((self.path.split("/")[3], len(body.get("batch_input", "1"))))
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Speaking)
    engine.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield engine
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
