"""A checkpoint counts when the policy of whoever verifies is met: the log, a quorum of witnesses, the operator not counted."""

import base64
from pathlib import Path

import pytest

from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import LOG, WITNESS, Key, Note, cosign, sign
from shared.transparency.policy import Policy
from shared.verifier.trust import Unusable, kept, origin_of, policy_of
from tests.unit.verifier.logs import (
    LINEAGE,
    LOG_PRIVATE,
    ORIGIN,
    POLICE,
    POLICY,
    SERVICE,
    TOWN,
    WITNESSES,
    checkpoint,
    first,
    found,
    key,
    policy_text,
    private,
    put,
    some_events,
    verified,
    write,
)

BODIES = some_events(12).bodies


@pytest.mark.parametrize(
    ("witnesses", "code"), [((), 1), (("police",), 1), (("police", "audit"), 0), (tuple(WITNESSES), 0)]
)
def test_two_of_three_witnesses_are_wanted(tmp_path: Path, witnesses: tuple[str, ...], code: int) -> None:
    made = write(tmp_path, BODIES)
    put(tmp_path / "checkpoint", str(checkpoint(made.size, made.root, witnesses=witnesses)).encode())
    report = verified(tmp_path)
    assert report.code == code and found(report) == [("quorum", None)] * code


def test_a_line_of_the_operator_is_none_of_a_witness(tmp_path: Path) -> None:
    """It signs as if it were one, under a witness's name and under its own."""
    made = write(tmp_path, BODIES)
    text = str(Checkpoint(ORIGIN, made.size, made.root))
    for name in ("land.example", ORIGIN):
        lines = (
            sign(text, ORIGIN, LOG_PRIVATE),
            cosign(text, "police.example", POLICE, 1),
            cosign(text, name, LOG_PRIVATE, 1),
        )
        put(tmp_path / "checkpoint", str(Note(text, lines)).encode())
        assert first(verified(tmp_path)) == ("quorum", None)


def test_witnesses_alone_do_not_stand_in_for_the_log(tmp_path: Path) -> None:
    made = write(tmp_path, BODIES)
    note = checkpoint(made.size, made.root, witnesses=tuple(WITNESSES))
    put(tmp_path / "checkpoint", str(Note(note.text, note.lines[1:])).encode())
    assert first(verified(tmp_path)) == ("quorum", None)


@pytest.mark.parametrize("line", [0, 1, 2])
def test_a_signature_that_does_not_fit_spoils_the_checkpoint(tmp_path: Path, line: int) -> None:
    made = write(tmp_path, BODIES)
    note, other = checkpoint(made.size, made.root), checkpoint(made.size, bytes(32))
    lines = [other.lines[n] if n == line else note.lines[n] for n in range(3)]
    put(tmp_path / "checkpoint", str(Note(note.text, tuple(lines))).encode())
    assert first(verified(tmp_path)) == ("signature", None)


def test_another_size_and_another_root_are_signed_by_nobody(tmp_path: Path) -> None:
    made = write(tmp_path, BODIES)
    whole = str(checkpoint(made.size, made.root)).encode()
    root = base64.b64encode(made.root)
    for forged in (whole.replace(b"\n12\n", b"\n11\n"), whole.replace(root, base64.b64encode(bytes(32)))):
        assert forged != whole
        put(tmp_path / "checkpoint", forged)
        assert first(verified(tmp_path)) == ("signature", None)


@pytest.mark.parametrize("written", [b"", b"\xff", b"x\n\ny\n", b"\n".join([b"a"] * 200)])
def test_what_is_no_checkpoint_is_said_to_be_none(tmp_path: Path, written: bytes) -> None:
    write(tmp_path, BODIES)
    put(tmp_path / "checkpoint", written)
    assert first(verified(tmp_path)) == ("checkpoint_form", None)


def test_a_checkpoint_larger_than_any_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, BODIES)
    put(tmp_path / "checkpoint", b"a" * 1_000_001)
    assert first(verified(tmp_path)) == ("file_long", None)


@pytest.mark.parametrize(
    "origin",
    ["town/cases", f"{ORIGIN}/after/x/5", f"{ORIGIN}/before/x/5/{'0' * 64}", f"{ORIGIN}/after/x/05/{'0' * 64}"],
)
def test_a_log_that_is_not_named_as_ours_are_is_a_doubt(tmp_path: Path, origin: str) -> None:
    """Its events' source could not be held against anything."""
    made = write(tmp_path, BODIES)
    put(tmp_path / "checkpoint", str(checkpoint(made.size, made.root, origin)).encode())
    assert first(verified(tmp_path, Policy.read(policy_text(origin=origin)))) == ("origin", None)


def test_a_restored_log_has_to_contain_what_it_grew_from(tmp_path: Path) -> None:
    made = write(tmp_path, BODIES)
    assert origin_of(f"{ORIGIN}/after/x/5/{'0' * 64}").after == ("x", 5, bytes(32))
    for size, root, expected in (
        (7, made.root_at(7), []),
        (0, made.root_at(0), []),
        (12, made.root, []),
        (7, made.root_at(8), [("lineage", None)]),
        (13, made.root, [("lineage_size", None)]),
    ):
        origin = f"{TOWN}/{SERVICE}/child/after/{LINEAGE}/{size}/{root.hex()}"
        put(tmp_path / "checkpoint", str(checkpoint(made.size, made.root, origin)).encode())
        assert found(verified(tmp_path, Policy.read(policy_text(origin=origin)))) == expected


def test_a_checkpoint_that_was_kept_has_to_be_continued(tmp_path: Path) -> None:
    """This is how somebody without witnesses, who looked in once, sees that history was rewritten."""
    made = write(tmp_path, BODIES)
    other = origin_of("t/other/l")
    for point, expected in (
        (Checkpoint(ORIGIN, 5, made.root_at(5)), []),
        (Checkpoint(ORIGIN, 12, made.root), []),
        (Checkpoint(ORIGIN, 5, bytes(32)), [("known", None)]),
        (Checkpoint(ORIGIN, 13, bytes(32)), [("known_size", None)]),
    ):
        assert found(verified(tmp_path, kept=((point, origin_of(ORIGIN)),))) == expected
    assert found(verified(tmp_path, kept=((Checkpoint("t/other/l", 1, bytes(32)), other),))) == [("known_origin", None)]


def test_one_kept_before_a_restore_holds_for_what_was_restored(tmp_path: Path) -> None:
    made = write(tmp_path, BODIES)
    origin = f"{TOWN}/{SERVICE}/child/after/{LINEAGE}/7/{made.root_at(7).hex()}"
    put(tmp_path / "checkpoint", str(checkpoint(made.size, made.root, origin)).encode())
    policy = Policy.read(policy_text(origin=origin))
    for size, root, expected in (
        (5, made.root_at(5), []),
        (5, bytes(32), ["known"]),
        (9, made.root_at(9), ["known_size"]),
    ):
        known = ((Checkpoint(ORIGIN, size, root), origin_of(ORIGIN)),)
        assert [code for code, _ in found(verified(tmp_path, policy, kept=known))] == expected


def test_a_kept_checkpoint_counts_when_the_log_signed_it(tmp_path: Path) -> None:
    alone = checkpoint(5, bytes(32), witnesses=())
    assert kept(str(alone).encode(), POLICY)[0].size == 5
    text = str(Checkpoint("t/s/l", 5, bytes(32)))
    by_another_log = str(Note(text, (sign(text, ORIGIN, LOG_PRIVATE),)))
    for written in (str(checkpoint(5, bytes(32), "t/s/l")), by_another_log, str(alone).replace("\n5\n", "\n6\n"), "x"):
        with pytest.raises(Unusable, match="does not count"):
            kept(written.encode(), POLICY)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("quorum none\n", "trusts no log"),
        (policy_text().replace("quorum them", "quorum us"), "not defined"),
        ("", "one quorum line"),
        (policy_text() + f"witness self {key('self.example', WITNESS, LOG_PRIVATE)}\n", "operator does not count"),
        (policy_text().replace("log ", "witness x "), "no key of a witness"),
    ],
)
def test_a_policy_that_cannot_be_relied_on_is_refused(text: str, says: str) -> None:
    with pytest.raises(Unusable, match=says):
        policy_of(text.encode())


OWN = private(5)
WITH_OWN = policy_text().replace("group", f"witness own {key(f'{TOWN}/own-witness', WITNESS, OWN)}\ngroup")


@pytest.mark.parametrize(
    ("quorum", "counted"),
    [
        ("quorum own", "quorum own"),
        ("group g any own police\nquorum g", "group g 1 own police"),
        ("group g any own police\ngroup h all g\nquorum h", "group g 1 own police"),
        ("group g all own police\nquorum g", "group g 2 own police"),
        ("group g 2 own police land\nquorum g", "group g 2 own police land"),
        ("group g all land own\ngroup h 2 police audit g\nquorum h", "group g 2 land own"),
        ("group g 2 own police land\nquorum audit", None),
        ("quorum them", None),
        ("quorum none", None),
    ],
)
def test_a_quorum_that_counts_a_witness_of_the_towns_own_is_refused(quorum: str, counted: str | None) -> None:
    """By the names: a witness of a town's own is named after it. Who asks for none claims no more."""
    them = "" if quorum == "quorum them" else "group them 2 police land audit\n"
    text = WITH_OWN.replace(them, "").replace("quorum them", quorum)
    if counted is not None:
        says = f"the line `{counted}` of the policy counts own, which is {TOWN}/own-witness, .* Take own out of it"
        with pytest.raises(Unusable, match=says) as refused:
            policy_of(text.encode())
        assert f"“{counted}”一行" in refused.value.chinese
    else:
        assert policy_of(text.encode()).quorum == quorum.split()[-1]


def test_a_witness_whose_name_only_begins_like_the_towns_is_somebody_else() -> None:
    text = WITH_OWN.replace("quorum them", "quorum own")
    another = Key(f"{TOWN}2/witness", WITNESS, OWN.public_key().public_bytes_raw())
    text = text.replace(str(key(f"{TOWN}/own-witness", WITNESS, OWN)), str(another))
    assert policy_of(text.encode()).quorum == "own"


def test_the_rule_holds_for_every_town_of_the_policy() -> None:
    text = f"log {key('another/cases/l', LOG, LOG_PRIVATE)}\n" + policy_text().replace("quorum them\n", "")
    own = f"witness own {key('another/witness', WITNESS, OWN)}\nquorum own\n"
    with pytest.raises(Unusable, match="a witness of another's own"):
        policy_of((text + own).encode())


def test_a_policy_without_witnesses_is_said_to_prove_nothing_against_the_operator(tmp_path: Path) -> None:
    made = write(tmp_path, BODIES)
    put(tmp_path / "checkpoint", str(checkpoint(made.size, made.root, witnesses=())).encode())
    report = verified(tmp_path, Policy.read(f"log {key(ORIGIN, LOG, LOG_PRIVATE)}\nquorum none\n"))
    assert report.code == 0 and "proves nothing against the operator" in report.remarks[-1][1]


def test_an_export_of_several_services_is_verified_folder_by_folder(tmp_path: Path) -> None:
    write(tmp_path / "cases", BODIES)
    put(tmp_path / "policy", b"a suggestion, never read")
    assert verified(tmp_path).code == 0
    write(tmp_path / "intake", BODIES)
    assert found(verified(tmp_path)) == [("service", None)]
    (tmp_path / "intake" / "checkpoint").unlink()
    assert found(verified(tmp_path)) == [("no_log", None)]


def trusting(*logs: str) -> Policy:
    """These logs as well."""
    return Policy.read(policy_text() + "".join(f"log {key(name, LOG, POLICE)}\n" for name in logs))


def test_a_service_of_the_town_whose_log_is_not_there_is_a_doubt(tmp_path: Path) -> None:
    """Whoever hands the export over could take away a whole folder, and all that is left would be proven."""
    write(tmp_path / "cases", BODIES)
    policy = trusting(f"{TOWN}/intake/l", f"{TOWN}/notify/l")
    report = verified(tmp_path, policy)
    assert (report.code, found(report)) == (1, [("log_absent", None)] * 2)
    assert [one.values for one in report.doubts.first] == [(("service", "intake"),), (("service", "notify"),)]
    assert verified(tmp_path, policy, services=("cases",)).code == 0, "that some were exported was known"
    assert found(verified(tmp_path, policy, services=("cases", "intake"))) == [("log_absent", None)]
    assert found(verified(tmp_path, policy, services=("intake",))) == [("log_absent", None)]
    assert verified(tmp_path / "cases", policy).code == 0, "who points at one log expects no other"
    assert found(verified(tmp_path / "cases", policy, services=("intake",))) == [("log_absent", None)]
    write(tmp_path / "intake", BODIES)
    assert verified(tmp_path, policy).code == 1
    assert verified(tmp_path, policy, services=("cases",)).code == 0, "and nothing else is looked at"


def test_logs_of_the_policy_that_are_not_there_are_named(tmp_path: Path) -> None:
    """Those of another town, of a lineage that a restore has left, a key for receipts: none of them makes a doubt."""
    write(tmp_path / "cases", BODIES)
    report = verified(tmp_path, trusting("t/intake/l", f"{TOWN}/cases/before", f"{TOWN}/intake/l/receipts"))
    assert report.code == 0 and f"t/intake/l, {TOWN}/cases/before" in report.remarks[0][1]
    assert "receipts" not in report.remarks[0][1]
    (empty := tmp_path / "empty").mkdir()
    with pytest.raises(Unusable, match="no exported log"):
        verified(empty)
