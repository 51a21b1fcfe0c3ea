"""What wraps the keys of the key store: the town's master key, or a key that never leaves a key management service.

Which one: MINEWATCH_KEY_WRAPPER (settings.py). What one has wrapped the other does not open, and says so.
"""

import base64
import os
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import KeyServiceAway, NotReady
from shared.settings import KeyService, SettingMissing

Wrapped = tuple[bytes, bytes]
"""(what was stored, what it is bound to)."""


class WrongMasterKey(NotReady):
    """主密钥不符，密钥无法打开。请检查 MINEWATCH_MASTER_KEY 或密钥服务的设置；如 minewatch keys rewrap 中断过，请再运行一次。
    A key does not open with this master key. Check MINEWATCH_MASTER_KEY, or the settings of the key service.
    If minewatch keys rewrap was broken off, run it again."""


class KeyWrapper(Protocol):
    """Encrypts keys for storage, each bound to its row."""

    async def wrap(self, secret: bytes, aad: bytes) -> bytes:
        """Raises KeyServiceAway."""
        ...

    async def unwrap(self, many: Sequence[Wrapped]) -> list[bytes]:
        """In order. Raises WrongMasterKey when one was made with another master key or for another row; KeyServiceAway."""
        ...

    async def close(self) -> None: ...


def wrapper_of(master_key: str, service: KeyService | None) -> KeyWrapper:
    """The one that the settings name. Raises SettingMissing."""
    return EnvironmentWrapper(master_key) if service is None else TransitWrapper(service)


class EnvironmentWrapper:
    """AES-256-GCM under a master key from the environment (base64 of 32 bytes). Nonce (12 bytes), then ciphertext."""

    def __init__(self, master_key_b64: str) -> None:
        """Raises SettingMissing when it is not 32 bytes."""
        try:
            master = base64.b64decode(master_key_b64, validate=True)
        except ValueError:
            master = b""
        if len(master) != 32:
            raise SettingMissing("MINEWATCH_MASTER_KEY must be the base64 of 32 bytes")
        self._cipher = AESGCM(master)

    async def wrap(self, secret: bytes, aad: bytes) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, secret, aad)

    async def unwrap(self, many: Sequence[Wrapped]) -> list[bytes]:
        return [self._unwrapped(*each) for each in many]

    def _unwrapped(self, wrapped: bytes, aad: bytes) -> bytes:
        try:
            return self._cipher.decrypt(wrapped[:12], wrapped[12:], aad)
        except (InvalidTag, ValueError) as error:
            if wrapped.startswith(TRANSIT):
                raise WrongMasterKey("a key was wrapped by a key service: MINEWATCH_KEY_WRAPPER=transit") from error
            raise WrongMasterKey("a key of the key store does not open") from error

    async def close(self) -> None:
        pass


TRANSIT = b"vault:v"
"""How everything begins that Transit encrypted; then the version of its key, a colon and base64."""
AT_ONCE = 250
"""Keys in one request."""
PATIENCE = 5.0
"""Seconds for one answer."""
NOT_OF_THIS_KEY = ("message authentication failed", "invalid ciphertext", "disallowed by policy")
NO_SUCH_KEY = ("encryption key not found", "policy not found")


class TransitWrapper:
    """The Transit engine of Vault or OpenBao: a key of an AEAD type, such as aes256-gcm96, that works there and never leaves it.

    Stored is the ciphertext as it comes, `vault:v1:…` in ASCII, so that the key can be rotated there. The token is read from its
    file for each request, and may be renewed at any moment.
    """

    def __init__(self, at: KeyService) -> None:
        """Raises SettingMissing, also for http to another machine."""
        import httpx  # only who uses a key service waits for it

        try:
            url = httpx.URL(at.url)
        except httpx.InvalidURL as error:
            raise SettingMissing(f"MINEWATCH_KMS_URL: {at.url} is no address: {error}") from error
        if url.scheme != "https" and not (url.scheme == "http" and _is_here(url.host)):
            raise SettingMissing(
                f"MINEWATCH_KMS_URL: {at.url} would send the token and every key in the clear: https://…, or http on this machine"
            )
        self._at, self._errors = at, httpx.HTTPError
        # No proxy, and no redirect: the token goes to the address that was set, and nowhere else.
        self._http = httpx.AsyncClient(
            base_url=f"{at.url.rstrip('/')}/v1/{at.mount.strip('/')}/",
            timeout=PATIENCE,
            trust_env=False,
            verify=_trusting(at),
        )
        self._binds = False

    async def wrap(self, secret: bytes, aad: bytes) -> bytes:
        told = await self._asked("encrypt", {"plaintext": _text(secret), "associated_data": _text(aad)})
        try:
            wrapped = str(told["data"]["ciphertext"]).encode()
        except (KeyError, TypeError):
            raise self._away("its answer holds no ciphertext") from None
        if not self._binds:
            await self._see_that_it_binds(wrapped, aad)
        return wrapped

    async def unwrap(self, many: Sequence[Wrapped]) -> list[bytes]:
        secrets: list[bytes] = []
        for at in range(0, len(many), AT_ONCE):
            secrets += await self._unwrapped(many[at : at + AT_ONCE])
        return secrets

    async def _unwrapped(self, some: Sequence[Wrapped]) -> list[bytes]:
        if any(not wrapped.startswith(TRANSIT) for wrapped, _ in some):
            raise WrongMasterKey("a key was wrapped by MINEWATCH_MASTER_KEY: MINEWATCH_KEY_WRAPPER=environment")
        asked = [
            {"ciphertext": wrapped.decode("ascii", "replace"), "associated_data": _text(aad)} for wrapped, aad in some
        ]
        told = await self._asked("decrypt", {"batch_input": asked})
        try:
            results = told["data"]["batch_results"]
            for error in (each["error"] for each in results if each.get("error")):
                raise self._refused(error)
            secrets = [base64.b64decode(each["plaintext"], validate=True) for each in results]
        except (KeyError, TypeError, AttributeError, ValueError):
            raise self._away("its answer holds no keys") from None
        if len(secrets) != len(some):
            raise self._away("its answer is not about the keys that it was asked for")
        return secrets

    async def _see_that_it_binds(self, wrapped: bytes, aad: bytes) -> None:
        """A Vault older than 1.9 passes over `associated_data` without a word; then a key would open in another's row."""
        try:
            await self._unwrapped([(wrapped, aad + b"\x00another row")])
        except WrongMasterKey:
            self._binds = True
            return
        raise self._away("it does not bind a key to its row: Vault 1.9 or newer or OpenBao is needed")

    async def _asked(self, what: str, body: dict[str, Any]) -> Any:
        """The answer's JSON. Raises KeyServiceAway, WrongMasterKey."""
        try:
            token = self._at.token.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise self._away(f"MINEWATCH_KMS_TOKEN: {self._at.token} cannot be read") from error
        try:
            answer = await self._http.post(f"{what}/{self._at.key}", json=body, headers={"X-Vault-Token": token})
        except (self._errors, ValueError) as error:  # ValueError: a token that no header can hold
            raise self._away(f"MINEWATCH_KMS_URL: {type(error).__name__}") from error
        try:
            told = answer.json()
        except ValueError:
            told = None
        told = told if isinstance(told, dict) else {}
        if answer.status_code == 200 or isinstance(told.get("data"), dict):  # each key with an error of its own
            return told
        said = "; ".join(str(each) for each in told.get("errors") or ())[:200]
        match answer.status_code:
            case 400 | 500:
                raise self._refused(said)
            case 403:
                raise self._away(
                    f"MINEWATCH_KMS_TOKEN: the token is refused; it needs `update` on "
                    f"{self._at.mount}/encrypt/{self._at.key} and {self._at.mount}/decrypt/{self._at.key}"
                )
            case 404:
                raise self._away(f"MINEWATCH_KMS_MOUNT: no Transit engine at {self._at.mount}")
            case 503:
                raise self._away("it is sealed, or starts: unseal it")
        raise self._away(f"{answer.status_code} {said}")

    def _refused(self, said: str) -> NotReady:
        """Some versions answer 500 where others answer 400, so the words decide."""
        if any(words in said for words in NOT_OF_THIS_KEY):
            return WrongMasterKey(f"the key service does not open a key of the key store: {said[:200]}")
        if any(words in said for words in NO_SUCH_KEY):
            return self._away(f"MINEWATCH_KMS_KEY_NAME: there is no key {self._at.key}")
        return self._away(said[:200])

    def _away(self, why: str) -> KeyServiceAway:
        return KeyServiceAway(f"the key service at {self._at.url} cannot be used: {why}")

    async def close(self) -> None:
        await self._http.aclose()


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _trusting(at: KeyService) -> Any:
    """Raises SettingMissing."""
    import ssl

    try:
        return ssl.create_default_context(cafile=str(at.ca)) if at.ca is not None else True
    except (OSError, ssl.SSLError) as error:
        raise SettingMissing(f"MINEWATCH_KMS_CA: {at.ca} cannot be read: {error}") from error


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
