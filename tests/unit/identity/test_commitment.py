"""GCM alone would let a keeper show two keys that open one ciphertext to two names. Such a one is made here, and refused."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.contracts.event import Sealed
from shared.identity import sealing
from shared.identity.key_store import Key
from shared.identity.sealed_file import MARK, SealedFile

ONE, OTHER, NONCE, PLACE = (
    bytes(range(32)),
    bytes(range(32, 64)),
    bytes(12),
    b"intake.tip.received\x00name\x00tip-1\x00i-1",
)


def times(x: int, y: int) -> int:
    """In GF(2^128) as GCM has it: the highest bit is the lowest power."""
    product = 0
    for bit in range(127, -1, -1):
        if y >> bit & 1:
            product ^= x
        x = (x >> 1) ^ (0xE1 << 120 if x & 1 else 0)
    return product


def power(x: int, of: int) -> int:
    product = 1 << 127
    while of:
        if of & 1:
            product = times(product, x)
        x, of = times(x, x), of >> 1
    return product


def block(key: bytes, content: bytes) -> int:
    return int.from_bytes(Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(content))


def hash_of(key: bytes, aad: bytes, ciphertext: bytes) -> int:
    """The tag before it is cut off from the ciphertext: GHASH and the first counter's block."""
    h, done = block(key, bytes(16)), 0
    lengths = (8 * len(aad)).to_bytes(8) + (8 * len(ciphertext)).to_bytes(8)
    for part in (aad, ciphertext, lengths):
        for at in range(0, len(part), 16):
            done = times(done ^ int.from_bytes(part[at : at + 16].ljust(16, b"\0")), h)
    return done ^ block(key, NONCE + b"\0\0\0\1")


def opening_twice(place: bytes = PLACE) -> bytes:
    """Two blocks and a tag that are genuine under both keys: the first block is solved for equal tags."""
    blank = bytes(32)
    apart = hash_of(ONE, place, blank) ^ hash_of(OTHER, place, blank)
    weight = power(block(ONE, bytes(16)), 3) ^ power(block(OTHER, bytes(16)), 3)
    first = times(apart, power(weight, 2**128 - 2)).to_bytes(16)
    ciphertext = first + bytes(16)
    return ciphertext + hash_of(ONE, place, ciphertext).to_bytes(16)


def test_one_ciphertext_opens_under_two_keys_where_gcm_is_all_there_is() -> None:
    twice = opening_twice()
    texts = {AESGCM(key).decrypt(NONCE, twice, PLACE) for key in (ONE, OTHER)}
    assert len(texts) == 2


def test_the_commitment_binds_it_to_one_key() -> None:
    twice = opening_twice()
    commitments = {sealing.commitment(key, NONCE, twice, PLACE) for key in (ONE, OTHER)}
    assert len(commitments) == 2
    for own, other in ((ONE, OTHER), (OTHER, ONE)):
        told = sealing._to_text(sealing.commitment(own, NONCE, twice, PLACE))
        shown = Sealed(k="k", n=sealing._to_text(NONCE), c=sealing._to_text(twice), m=told)
        assert sealing.opened(shown, PLACE, other) is None


def test_an_honest_text_opens_under_its_own_key() -> None:
    honest = sealing.sealed("钱满仓", PLACE, Key("k", ONE))
    assert sealing.opened(honest, PLACE, ONE) == "钱满仓"
    assert sealing.opened(honest, PLACE, OTHER) is None


# ------------------------------------------------------------------------------------------------ files


def test_a_file_of_before_opened_under_two_keys() -> None:
    twice = SealedFile.read(b"k" * 36 + NONCE + opening_twice(b"patrol-1"))
    contents = {twice.opened("patrol-1", key) for key in (ONE, OTHER)}
    assert len(contents) == 2 and None not in contents


@pytest.mark.parametrize(("own", "other"), [(ONE, OTHER), (OTHER, ONE)])
def test_a_file_opens_under_the_key_that_it_is_committed_to(own: bytes, other: bytes) -> None:
    place = b"file\x00patrol-1"
    twice = opening_twice(place)
    file = SealedFile("k", NONCE, sealing.commitment(own, NONCE, twice, place), twice)
    assert file.opened("patrol-1", own) is not None
    assert file.opened("patrol-1", other) is None


def test_a_file_without_its_commitment_is_no_file_of_before() -> None:
    key = Key("4f6f9c1e-6a1b-4f0f-9d6e-0d1b6f9a2c11", ONE)
    kept = bytes(SealedFile.of(b"<gpx/>", "patrol-1", key))
    assert kept[:1] == MARK and SealedFile.read(kept).opened("patrol-1", ONE) == b"<gpx/>"
    bare = kept[1:49] + kept[81:]
    assert SealedFile.read(bare) == replace(SealedFile.read(kept), committed=None), "or nothing would be shown"
    for stream in ("patrol-1", "file"):
        assert SealedFile.read(bare).opened(stream, ONE) is None


def test_a_text_is_no_file() -> None:
    text = sealing.sealed("钱满仓", PLACE, Key("k" * 36, ONE))
    nonce, ciphertext, committed = (sealing._to_bytes(each) for each in (text.n, text.c, text.m))
    for stream in ("tip-1", PLACE.decode()):
        assert SealedFile("k" * 36, nonce, committed, ciphertext).opened(stream, ONE) is None
