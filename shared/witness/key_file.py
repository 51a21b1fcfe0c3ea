"""An Ed25519 key in a file that only its owner may read."""

import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def keep_key(path: Path, private: Ed25519PrivateKey) -> None:
    """Raises FileExistsError."""
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(pem)


def read_key(path: Path) -> Ed25519PrivateKey:
    """Raises OSError; ValueError when it holds another kind of key."""
    private = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(private, Ed25519PrivateKey):
        raise ValueError(f"{path} is no Ed25519 key")
    return private
