"""Signed notes and checkpoints: the examples of others are read, ours are told from forged ones."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.transparency.checkpoint import Checkpoint, proof_file
from shared.transparency.note import LOG, WITNESS, Key, Line, Note, NoteRefused, cosign, sign

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = PRIVATE.public_key().public_bytes_raw()
LOG_KEY, WITNESS_KEY = Key("town.example/intake", LOG, PUBLIC), Key("police.example", WITNESS, PUBLIC)
TEXT = str(Checkpoint("town.example/intake", 42, bytes(32)))
BOTH = Note(TEXT, (sign(TEXT, LOG_KEY.name, PRIVATE), cosign(TEXT, WITNESS_KEY.name, PRIVATE, 1_500_000_000)))

# From the documentation of Go's sumdb/note, the first implementation of the format.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""


def test_a_note_written_by_gos_library_is_read_and_checked() -> None:
    note, key = Note.read(GO_NOTE.encode()), Key.read(GO_KEY)
    assert note.signed_by([key]) == {key: None}
    assert (str(note), str(key)) == (GO_NOTE, GO_KEY)
    with pytest.raises(NoteRefused, match="PeterNeumann does not fit"):
        Note.read(GO_NOTE.replace("answer", "Answer").encode()).signed_by([key])


def test_a_log_and_a_witness_sign_and_are_told_apart() -> None:
    note = Note.read(str(BOTH).encode())
    assert note == BOTH
    assert note.signed_by([LOG_KEY, WITNESS_KEY]) == {LOG_KEY: None, WITNESS_KEY: 1_500_000_000}
    assert Key.read(str(WITNESS_KEY)) == WITNESS_KEY
    assert LOG_KEY.id != Key(LOG_KEY.name, WITNESS, PUBLIC).id


def test_an_unknown_key_is_passed_over() -> None:
    stranger = Key("land.example", WITNESS, bytes(32))
    assert BOTH.signed_by([stranger]) == {}


def test_a_line_of_a_known_name_and_another_key_is_passed_over() -> None:
    renewed = Key(LOG_KEY.name, LOG, bytes(32))
    assert BOTH.signed_by([renewed, LOG_KEY]) == {LOG_KEY: None}


def test_the_time_of_a_witness_is_signed() -> None:
    line = BOTH.lines[1]
    later = Line(line.name, line.id, (1_500_000_001).to_bytes(8, "big") + line.signature[8:])
    with pytest.raises(NoteRefused, match=r"police\.example"):
        Note(TEXT, (later,)).signed_by([WITNESS_KEY])


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (b"", "a text, an empty line"),
        (b"text\n", "a text, an empty line"),
        (b"text\n\n", "a text, an empty line"),
        (b"text\n\nno signature\n", "no signature line"),
        ("text\n\n— a b\n".encode(), "no canonical base64"),
        ("text\n\n— a AAAA\n".encode(), "too short"),
        ("text\n\n— a+b AAAAAAAAAAA=\n".encode(), "no signature line"),
        ("text\n\n— a AAAAAAAAAAA=".encode(), "a text, an empty line"),
        ("te\rxt\n\n— a AAAAAAAAAAA=\n".encode(), "control characters"),
        ("text\n\n— a AAAAAAAAAAB=\n".encode(), "no canonical base64"),
        (b"\xff\n\n\n", "UTF-8"),
        (b"a" * 1_000_001, "at most 1000000 bytes"),
        (("text\n\n" + "— a AAAAAAAAAAA=\n" * 101).encode(), "at most 100"),
    ],
)
def test_what_is_no_note_is_refused(written: bytes, why: str) -> None:
    with pytest.raises(NoteRefused, match=why):
        Note.read(written)


@pytest.mark.parametrize(
    ("vkey", "why"),
    [
        ("town.example", "name.id.base64"),
        (str(LOG_KEY).replace("town", "city"), "not that of the key"),
        ("town.example+00000000+AAAA", "no Ed25519 key"),
        ("a b+00000000+" + base64.b64encode(b"\x01" + PUBLIC).decode(), "one word"),
    ],
)
def test_what_is_no_key_is_refused(vkey: str, why: str) -> None:
    with pytest.raises(NoteRefused, match=why):
        Key.read(vkey)


def test_a_name_with_a_plus_could_not_be_read_back() -> None:
    with pytest.raises(NoteRefused, match="without a plus"):
        Key("town+intake", LOG, PUBLIC)


def test_a_checkpoint_is_read_as_it_was_written() -> None:
    checkpoint = Checkpoint("town.example/intake", 42, bytes(range(32)))
    assert Checkpoint.read(str(checkpoint)) == checkpoint
    assert Checkpoint.read(f"{checkpoint}and more\n") == checkpoint


@pytest.mark.parametrize(
    "text",
    ["", "origin\n1\n", "\n1\n" + "A" * 43 + "=\n", "o\n01\n" + "A" * 43 + "=\n", "o\n-1\n" + "A" * 43 + "=\n",
     "o\n1\nAAAA\n", "o\n1\n" + "A" * 43 + "\n", "o\n１\n" + "A" * 43 + "=\n", "o\n1\n" + "A" * 43 + "=\n\n"],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteRefused):
        Checkpoint.read(text)


def test_a_proof_file_holds_index_path_and_checkpoint() -> None:
    zero = base64.b64encode(bytes(32)).decode()
    written = proof_file(7, [bytes(32)], BOTH, b"hazard")
    assert written == f"c2sp.org/tlog-proof@v1\nextra aGF6YXJk\nindex 7\n{zero}\n\n{BOTH}"
