"""Person and service tokens: JWT signed with Ed25519. Their times are real time, never the campaign's."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from shared.decider import Actor
from shared.errors import NotSignedIn
from shared.settings import SettingMissing

ISSUER = "minewatch"
PERSONS, SERVICES = "minewatch:persons", "minewatch:services"
ALGORITHM = "EdDSA"
SKEW = timedelta(seconds=10)
"""How far the clocks of two machines may lie apart."""
SERVICE_VALID = timedelta(hours=1)
PERSON = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,127}")
"""Without the colon of "client:police" and "system:timer"."""
CODE = re.compile(r"[a-z0-9][a-z0-9_.:+-]{0,79}")
_DETAILS = ("post", "unit", "village", "on_behalf_of", "ground")


class Tokens:
    """Reads tokens, and issues them where the private key is. Keys are Ed25519 in PEM."""

    def __init__(self, public_pem: str, private_pem: str | None = None) -> None:
        """Raises SettingMissing for what is no such key."""
        self._public = _public_key(public_pem)
        self._private = _private_key(private_pem) if private_pem else None

    def issue(self, actor: Actor, valid: timedelta) -> str:
        """A token for a person in a post. Raises ValueError for what is no person, or no code: it would stand in every event."""
        _check(actor)
        details = {name: value for name in _DETAILS if (value := getattr(actor, name)) is not None}
        return self._sign(PERSONS, actor.person, valid, details)

    def issue_service(self, name: str, valid: timedelta = SERVICE_VALID) -> str:
        """A token by which one service knows another; it signs nobody in."""
        return self._sign(SERVICES, name, valid, {})

    def read(self, token: str) -> Actor:
        """Who signed in. Raises NotSignedIn for a token that is expired, altered, of another town or no person's."""
        claims = self._verified(token, PERSONS)
        details = {name: claims[name] for name in _DETAILS if name in claims}
        actor = Actor(claims["sub"], **({"post": ""} | details))
        try:
            _check(actor)
        except (ValueError, TypeError) as error:
            raise NotSignedIn("the token names no person in a post") from error
        return actor

    def is_service(self, token: str) -> bool:
        """Whether a service of this town sent it."""
        try:
            self._verified(token, SERVICES)
        except NotSignedIn:
            return False
        return True

    def _sign(self, audience: str, subject: str, valid: timedelta, claims: dict[str, str]) -> str:
        if self._private is None:
            raise SettingMissing("set MINEWATCH_TOKEN_PRIVATE where tokens are issued")
        now = datetime.now(UTC)
        who = {"iss": ISSUER, "aud": audience, "sub": subject, "iat": now, "exp": now + valid}
        return jwt.encode(who | claims, self._private, algorithm=ALGORITHM)

    def _verified(self, token: str, audience: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._public,
                algorithms=[ALGORITHM],  # never what the token itself asks for
                audience=audience,
                issuer=ISSUER,
                leeway=SKEW,
                options={"require": ["iss", "aud", "sub", "iat", "exp"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise NotSignedIn("the token has expired") from error
        except (jwt.InvalidTokenError, UnicodeError) as error:
            raise NotSignedIn("the token is not valid") from error
        return claims


def _check(actor: Actor) -> None:
    """Raises ValueError, or TypeError for what is no text."""
    persons = [actor.person, actor.on_behalf_of]
    codes = [actor.post, actor.unit if actor.unit != "" else None, actor.village, actor.ground]
    for pattern, texts in ((PERSON, persons), (CODE, codes)):
        for text in texts:
            if text is not None and not pattern.fullmatch(text):
                raise ValueError(f"{text} is no {'person id' if pattern is PERSON else 'code'}")


def _public_key(pem: str) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(pem.encode())
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise SettingMissing("MINEWATCH_TOKEN_PUBLIC must be an Ed25519 public key in PEM")
    return key


def _private_key(pem: str) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingMissing("MINEWATCH_TOKEN_PRIVATE must be an Ed25519 private key in PEM")
    return key
