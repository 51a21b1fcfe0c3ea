"""Tokens: they say who acts and in which post, for a time, and nobody else can make or change one."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.decider import Actor
from shared.errors import NotSignedIn
from shared.identity.token_keys import fresh_pair
from shared.identity.tokens import Tokens
from shared.settings import SettingMissing

CLERK = Actor("p-clerk-1", "clerk", "campaign_office", on_behalf_of="p-village_head-dulan", ground="no_phone")
HEAD = Actor("p-village_head-dulan", "village_head", "dulan", village="140181101207")
HOUR = timedelta(hours=1)


def pem_pair(private: Any) -> tuple[str, str]:
    """(public, private) PEM."""
    return (
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
    )


PRIVATE = Ed25519PrivateKey.generate()
PUBLIC_PEM, PRIVATE_PEM = pem_pair(PRIVATE)
TOKENS = Tokens(PUBLIC_PEM, PRIVATE_PEM)
READER = Tokens(PUBLIC_PEM)


@pytest.mark.parametrize("actor", [CLERK, HEAD])
def test_a_token_says_who_acts_in_which_post_and_for_whom(actor: Actor) -> None:
    assert READER.read(TOKENS.issue(actor, HOUR)) == actor


def test_an_expired_token_signs_nobody_in() -> None:
    with pytest.raises(NotSignedIn, match="expired"):
        READER.read(TOKENS.issue(CLERK, timedelta(minutes=-1)))


def test_clocks_may_lie_a_few_seconds_apart() -> None:
    assert READER.read(TOKENS.issue(CLERK, timedelta(seconds=-2))) == CLERK


def test_a_token_of_another_town_signs_nobody_in() -> None:
    elsewhere = Tokens(*pem_pair(Ed25519PrivateKey.generate()))
    with pytest.raises(NotSignedIn):
        READER.read(elsewhere.issue(CLERK, HOUR))


@pytest.mark.parametrize("claim", [{"post": "group_leader"}, {"sub": "p-2"}, {"exp": 4102444800}, {"village": "x"}])
def test_an_altered_token_signs_nobody_in(claim: dict[str, Any]) -> None:
    head, body, signature = TOKENS.issue(CLERK, HOUR).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    altered = base64.urlsafe_b64encode(json.dumps(claims | claim).encode()).rstrip(b"=").decode()
    with pytest.raises(NotSignedIn):
        READER.read(f"{head}.{altered}.{signature}")


def test_a_service_is_no_person_and_a_person_no_service() -> None:
    service, person = TOKENS.issue_service("cases"), TOKENS.issue(CLERK, HOUR)
    assert READER.is_service(service)
    assert not READER.is_service(person)
    with pytest.raises(NotSignedIn):
        READER.read(service)


def test_an_expired_or_junk_token_is_no_service() -> None:
    assert not READER.is_service(TOKENS.issue_service("cases", timedelta(minutes=-1)))
    assert not READER.is_service("mwk_x")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "煤.煤.煤", "\ud800", "mwk_0"])
def test_junk_signs_nobody_in(token: str) -> None:
    with pytest.raises(NotSignedIn):
        READER.read(token)


def claims(**changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    told = {
        "iss": "minewatch",
        "aud": "minewatch:persons",
        "sub": "p-1",
        "iat": now,
        "exp": now + HOUR,
        "post": "clerk",
    }
    return {name: value for name, value in (told | changes).items() if value is not None}


def test_these_claims_are_enough() -> None:
    assert READER.read(jwt.encode(claims(), PRIVATE, "EdDSA")) == Actor("p-1", "clerk")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "elsewhere"},
        {"aud": None},
        {"aud": "minewatch:services"},
        {"exp": None},
        {"iat": None},
        {"sub": None},
        {"sub": "client:police"},
        {"sub": "system:timer"},
        {"post": None},
        {"post": 7},
        {"unit": 0},
        {"ground": "his phone is broken"},
        {"village": ["140181101207"]},
        {"nbf": datetime(2100, 1, 1, tzinfo=UTC)},
    ],
)
def test_our_own_signature_under_other_claims_signs_nobody_in(changes: dict[str, Any]) -> None:
    with pytest.raises(NotSignedIn):
        READER.read(jwt.encode(claims(**changes), PRIVATE, "EdDSA"))


def test_the_token_does_not_choose_its_algorithm() -> None:
    """Unsigned, and signed with the public key as if it were a shared secret."""
    unsigned = jwt.encode(claims(), None, "none")  # type: ignore[arg-type]
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()
    body = unsigned.split(".")[1]
    shared = jwt.api_jws.get_algorithm_by_name("HS256").sign(f"{head}.{body}".encode(), PUBLIC_PEM.encode())
    signature = base64.urlsafe_b64encode(shared).rstrip(b"=").decode()
    for token in (unsigned, f"{head}.{body}.{signature}"):
        with pytest.raises(NotSignedIn):
            READER.read(token)


def test_without_the_private_key_no_token_is_issued() -> None:
    with pytest.raises(SettingMissing, match="TOKEN_PRIVATE"):
        READER.issue(CLERK, HOUR)
    with pytest.raises(SettingMissing, match="TOKEN_PRIVATE"):
        READER.issue_service("cases")


@pytest.mark.parametrize(
    "actor",
    [
        Actor("client:police", "police_officer"),
        Actor("system:timer"),
        Actor("甲某", "clerk"),
        replace(CLERK, on_behalf_of="甲某"),
        replace(CLERK, ground="his phone is broken"),
        replace(CLERK, post="Clerk"),
        replace(HEAD, village="独栏"),
    ],
)
def test_nothing_but_ids_and_codes_gets_into_a_token(actor: Actor) -> None:
    """Whatever stands in it stands in every event afterwards, in clear and for ever."""
    with pytest.raises(ValueError, match=r"is no (person id|code)"):
        TOKENS.issue(actor, HOUR)


CURVE = pem_pair(generate_private_key(SECP256R1()))


@pytest.mark.parametrize("public", ["", "煤", PRIVATE_PEM, CURVE[0]])
def test_another_public_key_is_named_at_the_start(public: str) -> None:
    with pytest.raises(SettingMissing, match="MINEWATCH_TOKEN_PUBLIC"):
        Tokens(public)


@pytest.mark.parametrize("private", ["煤", PUBLIC_PEM, CURVE[1]])
def test_another_private_key_is_named_at_the_start(private: str) -> None:
    with pytest.raises(SettingMissing, match="MINEWATCH_TOKEN_PRIVATE"):
        Tokens(PUBLIC_PEM, private)


def test_a_fresh_pair_signs_what_it_reads_and_is_another_each_time() -> None:
    (public, private), other = fresh_pair(), fresh_pair()
    token = Tokens(public, private).issue(CLERK, HOUR)
    assert Tokens(public).read(token) == CLERK
    with pytest.raises(NotSignedIn):
        Tokens(other[0]).read(token)
