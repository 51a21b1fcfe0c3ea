"""The pair of keys that signs a town's tokens and reads them. Whoever makes one needs none of what reads a token."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


def fresh_pair() -> tuple[str, str]:
    """A new key, (public, private), both in PEM."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return public.decode(), private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
