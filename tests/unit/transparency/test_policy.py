"""Which signatures are enough, and which policy files cannot be read."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import LOG, WITNESS, Key, Note, NoteRefused, cosign, sign
from shared.transparency.policy import Policy, PolicyRefused

PRIVATE = {n: Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in range(1, 6)}
NAMES = {1: "police.example", 2: "land.example", 3: "audit.example"}
TEXT = str(Checkpoint("town.example/cases", 9, bytes(32)))


def key(n: int, name: str, kind: int) -> Key:
    return Key(name, kind, PRIVATE[n].public_key().public_bytes_raw())


LOG_KEY = key(4, "town.example/cases", LOG)
TWO_OF_THREE = f"""# the operator is not counted
log {LOG_KEY} https://town.example/
witness police {key(1, NAMES[1], WITNESS)}
\twitness land\t{key(2, NAMES[2], WITNESS)}

witness audit {key(3, NAMES[3], WITNESS)}
group outside 2 police land audit
quorum outside
"""


def signed_by(*witnesses: int, log: bool = True) -> Note:
    lines = [sign(TEXT, LOG_KEY.name, PRIVATE[4])] if log else []
    lines += [cosign(TEXT, NAMES[n], PRIVATE[n], 1_800_000_000) for n in witnesses]
    return Note(TEXT, tuple(lines))


@pytest.mark.parametrize("witnesses", [(1, 2), (1, 3), (2, 3), (1, 2, 3)])
def test_two_of_three_are_enough(witnesses: tuple[int, ...]) -> None:
    assert Policy.read(TWO_OF_THREE).missing(signed_by(*witnesses)) is None


def test_one_of_three_is_not_enough_nor_one_of_them_twice() -> None:
    policy = Policy.read(TWO_OF_THREE)
    assert policy.missing(signed_by(2)) == "outside is not met: land signed"
    assert policy.missing(signed_by(2, 2)) == "outside is not met: land signed"
    assert policy.missing(signed_by()) == "outside is not met: no witness signed"


def test_witnesses_do_not_stand_in_for_the_log() -> None:
    assert Policy.read(TWO_OF_THREE).missing(signed_by(1, 2, log=False)) == (
        "no log of the policy signed for town.example/cases"
    )


def test_a_log_signs_for_its_own_origin_only() -> None:
    other = TWO_OF_THREE.replace(str(LOG_KEY), str(key(4, "town.example/intake", LOG)))
    note = signed_by(1, 2)
    note = Note(note.text, (sign(TEXT, "town.example/intake", PRIVATE[4]), *note.lines))
    assert Policy.read(other).missing(note) == "no log of the policy signed for town.example/cases"


def test_a_signature_that_does_not_fit_spoils_all() -> None:
    note = signed_by(1, 2)
    with pytest.raises(NoteRefused):
        Policy.read(TWO_OF_THREE).missing(Note(TEXT.replace("9", "8"), note.lines))


def test_groups_of_groups_and_any_and_all() -> None:
    written = TWO_OF_THREE.replace("quorum outside\n", "").replace("2 police land audit", "all police land")
    policy = Policy.read(written + "group either any outside audit\nquorum either\n")
    assert policy.missing(signed_by(3)) is None
    assert policy.missing(signed_by(1, 2)) is None
    assert policy.missing(signed_by(1)) == "either is not met: police signed"


def test_nobody_need_sign_where_the_policy_says_none() -> None:
    assert Policy.read("quorum none\n").missing(Note(TEXT, signed_by(1).lines)) is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("quorum outside\n", ""), "one quorum line"),
        (("quorum outside\n", "quorum outside\nquorum outside\n"), "line 9: a policy has one quorum"),
        (("quorum outside\n", "quorum police land\n"), "line 8: 'quorum' is not"),
        (("quorum outside", "quorum inside"), "line 8: inside is not defined above"),
        (("group outside 2", "group outside 4"), "line 7: 4 of 3 members"),
        (("group outside 2", "group outside 0"), "line 7: 0 of 3 members"),
        (("group outside 2", "group police 2"), "line 7: the name police is taken"),
        (("police land audit", "police land police"), "line 7: police is a member twice"),
        (("witness police", "witness none"), "line 3: the name none is taken"),
        (("witness police", "log"), "line 3: police.example is no key of a log"),
        ((f"log {LOG_KEY}", f"log {LOG_KEY}\nlog {LOG_KEY}"), "line 3: town.example/cases is there twice"),
        (("log ", "diary "), "line 2: 'diary' is not log"),
        (("log town", "log city"), "line 2: city.example/cases: the id is not that of the key"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused_with_its_line(change: tuple[str, str], why: str) -> None:
    with pytest.raises(PolicyRefused, match=why):
        Policy.read(TWO_OF_THREE.replace(*change))
