"""A backup beside the newest checkpoint that witnesses signed: proven to be of one past, or refused; what is missing, exactly."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.backup.elsewhere import Fact
from shared.backup.logs import Walked
from shared.backup.manifest import BackupRefused, Doubt, Manifest, Part
from shared.backup.missing import Facts, Known, Lack, lack
from shared.backup.verify import Witnessed
from shared.transparency import tree
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import LOG, WITNESS, Key, Note, cosign, sign
from shared.transparency.origin import After, Origin
from shared.transparency.policy import Policy

NOW = datetime(2018, 3, 1, tzinfo=UTC)
LONG_AGO = datetime(2018, 2, 1, tzinfo=UTC)
LOG_KEY, *KEYS = (Ed25519PrivateKey.generate() for _ in range(4))
ORIGIN = Origin("town", "cases", "first")
LEAVES = [bytes([n]) * 32 for n in range(20)]
OTHERS = [bytes([n + 100]) * 32 for n in range(20)]


def root(leaves: Sequence[bytes]) -> bytes:
    return tree.root(tree.extend(0, [], leaves)[1])


def key(private: Ed25519PrivateKey, name: str, kind: int) -> Key:
    return Key(name, kind, private.public_key().public_bytes_raw())


def policy(origin: Origin = ORIGIN) -> Policy:
    witnesses = [f"witness w{n} {key(each, f'w{n}.example', WITNESS)}" for n, each in enumerate(KEYS)]
    return Policy.read(
        "\n".join([f"log {key(LOG_KEY, str(origin), LOG)}", *witnesses, "group two 2 w0 w1 w2", "quorum two"])
    )


def signed(
    size: int,
    leaves: Sequence[bytes] = LEAVES,
    by: Sequence[int] = (0, 1),
    origin: Origin = ORIGIN,
    at: Sequence[datetime] = (LONG_AGO,) * 3,
) -> Note:
    said = str(Checkpoint(str(origin), size, root(leaves[:size])))
    lines = [cosign(said, f"w{n}.example", KEYS[n], int(at[n].timestamp())) for n in by]
    return Note(said, (sign(said, str(origin), LOG_KEY), *lines))


def known(folder: Path, note: Note, origin: Origin = ORIGIN) -> Known:
    (folder / "checkpoint").write_text(str(note), "utf-8")
    return Known.read(folder / "checkpoint", policy(origin))


def inside(note: Note) -> Witnessed:
    found = Witnessed.of(note, policy())
    assert isinstance(found, Witnessed)
    return found


def backup(size: int, origin: Origin = ORIGIN) -> Manifest:
    part = Part("0004", str(origin), origin.lineage, size, root(LEAVES[:size]).hex(), NOW, 0, (), None, (), ())
    return Manifest("minewatch-backup/1", "0", "town", NOW, {"cases": part}, None, {}, ())


def walked(size: int) -> Walked:
    return Walked(
        size,
        LEAVES[size - 1],
        tree.extend(0, [], LEAVES[:size])[1],
        {n: root(LEAVES[:n]) for n in range(size + 1)},
        set(),
        f"time-{size}",
        {n: f"time-{n + 1}" for n in range(size)},
    )


def facts(positions: Sequence[int], leaves: Sequence[bytes] = LEAVES, lineage: str = "first") -> Facts:
    found = {p: Fact(leaves[p - 1], f"id-{p}", "cases.site.registered.v1", "then", "there") for p in positions}
    return {("cases", lineage): found}


def compared(
    size: int,
    given: Known | None,
    witnessed: Witnessed | None = None,
    elsewhere: Facts | None = None,
    origin: Origin = ORIGIN,
) -> Lack:
    return lack("cases", backup(size, origin), walked(size), given, witnessed, elsewhere or {})


def test_a_checkpoint_of_no_more_than_the_backup_has_proves_so_much_of_it(tmp_path: Path) -> None:
    found = compared(10, known(tmp_path, signed(7)))
    assert (found.proven, found.end) == (7, 10)
    assert list(found.lines()) == [
        "cases: the backup ends at position 10 of 10 (recorded until 2018-03-01 00:00:00 UTC); nothing is known to be missing",
        "  the first 7 events were signed as the policy asks; nobody signed 8–10: 3 of 10, recorded from time-8 to time-10",
        "  UNPROVEN: signed 2018-02-01 00:00:00 UTC, taken 2018-03-01 00:00:00 UTC as the backup says, 28 days, 0:00:00 later",
    ]
    whole = compared(10, known(tmp_path, signed(10)))
    assert list(whole.lines())[1:] == [
        "  all 10 events were signed as the policy asks; newest signature: 2018-02-01 00:00:00 UTC"
    ]
    assert whole.sound and not found.sound, "a log at rest is signed once"


def test_the_newer_of_two_signatures_counts_wherever_it_is(tmp_path: Path) -> None:
    assert compared(10, known(tmp_path, signed(4)), inside(signed(7))).proven == 7
    assert compared(10, known(tmp_path, signed(7)), inside(signed(4))).proven == 7


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("signed_before", "sound"), [(0, True), (10, True), (10.02, False), (-10, True), (-10.02, False), (60 * 24, False)]
)
def test_what_a_log_at_work_always_has_is_told_from_what_nobody_would_sign(signed_before: float, sound: bool) -> None:
    """By the time that was signed: also a backup that says it is older than the signature in it is no ordinary one."""
    found = compared(10, None, inside(signed(7, at=(NOW - signed_before * MINUTE,) * 3)))
    assert (found.sound, found.shown) == (sound, True)
    assert list(found.lines())[2].startswith("  ordinary: signed " if sound else "  UNPROVEN: signed ")
    assert list(found.lines())[2].endswith("EARLIER") == (signed_before < 0)


def test_no_single_witness_makes_a_signature_younger_than_it_is() -> None:
    assert not compared(10, None, inside(signed(7, at=(LONG_AGO, NOW, NOW)))).sound
    assert not compared(10, None, inside(signed(7, at=(NOW, LONG_AGO, NOW)))).sound
    assert compared(10, None, inside(signed(7, at=(NOW, NOW, LONG_AGO)))).sound, "this one did not sign it"


def test_without_a_witness_nothing_shows_how_long_it_was_left_unsigned() -> None:
    alone = Policy.read(f"log {key(LOG_KEY, str(ORIGIN), LOG)}\nquorum none\n")
    by_the_log = Witnessed.of(signed(7, by=()), alone)
    assert isinstance(by_the_log, Witnessed)
    found = compared(10, None, by_the_log)
    assert not found.sound and "  UNPROVEN: no witness gave a time" in list(found.lines())[2]
    assert compared(7, None, by_the_log).sound


def test_events_that_wait_for_a_number_are_signed_by_nobody() -> None:
    for at, sound in ((NOW, True), (LONG_AGO, False)):
        came = walked(10)
        came.waiting.add("id-11")
        found = lack("cases", backup(10), came, None, inside(signed(10, at=(at,) * 3)), {})
        assert found.sound == sound
        assert "1 events more are here that had no number yet, and nobody signed" in list(found.lines())[2]
        assert list(found.lines())[3].startswith("  ordinary: " if sound else "  UNPROVEN: ")


def test_other_events_than_those_that_were_signed_are_refused(tmp_path: Path) -> None:
    for size in (7, 10):
        with pytest.raises(Doubt, match=f"the first {size} events of the backup are not those"):
            compared(10, known(tmp_path, signed(size, OTHERS)))


def test_a_longer_log_is_proven_by_the_events_in_between(tmp_path: Path) -> None:
    found = compared(10, known(tmp_path, signed(14)), elsewhere=facts([11, 12, 13, 14, 15]))
    assert (found.proven, found.end, sorted(found.facts)) == (10, 15, [11, 12, 13, 14, 15])
    with pytest.raises(Doubt, match="not the log of 14 events that the witnesses signed"):
        compared(10, known(tmp_path, signed(14, OTHERS)), elsewhere=facts([11, 12, 13, 14]))
    with pytest.raises(Doubt, match="not the log of 14 events"):
        compared(10, known(tmp_path, signed(14)), elsewhere=facts([11, 12, 13, 14], OTHERS))


@pytest.mark.parametrize(
    ("inside_at", "given_at", "sound"),
    [
        (LONG_AGO, NOW + 9 * MINUTE, True),
        (NOW, NOW + 9 * MINUTE, True),
        (NOW - 9 * MINUTE, NOW + 60 * MINUTE, True),
        (None, NOW + 9 * MINUTE, True),
        (None, NOW + 11 * MINUTE, False),
        (LONG_AGO, NOW + 11 * MINUTE, False),
    ],
)
def test_what_waits_beside_a_whole_log_is_judged_by_the_nearest_signature(
    tmp_path: Path, inside_at: datetime | None, given_at: datetime, sound: bool
) -> None:
    """The one in the backup may be long ago: a log at rest is signed once. The one that was given proves all of it (`--also`)."""
    came = walked(10)
    came.waiting.add("id-20")
    given = known(tmp_path, signed(14, at=(given_at,) * 3))
    here = inside(signed(8, at=(inside_at,) * 3)) if inside_at is not None else None
    found = lack("cases", backup(10), came, given, here, facts([11, 12, 13, 14]))
    assert (found.proven, found.sound) == (10, sound)
    verdict = next(line for line in found.lines() if line.startswith(("  ordinary: ", "  UNPROVEN: ")))
    assert verdict.startswith("  ordinary: ") == sound


def test_the_later_signature_says_nothing_of_what_only_a_witness_s_word_shows(tmp_path: Path) -> None:
    given = known(tmp_path, signed(14, at=(NOW,) * 3))
    found = compared(10, given, inside(signed(8)), facts([12, 14]))
    assert (found.proven, found.signed_at, found.sound) == (8, LONG_AGO, False)


def test_without_them_the_word_of_a_witness_that_signed_both_counts(tmp_path: Path) -> None:
    longer = known(tmp_path, signed(14, by=(1, 2)))
    found = compared(10, longer, inside(signed(8, by=(0, 1))), facts([12, 14]))
    assert (found.proven, found.end) == (8, 14)
    lines = list(found.lines())
    assert lines[0].startswith("cases: the backup ends at position 10 of 14 (") and lines[0].endswith(
        "; 4 facts are missing"
    )
    assert lines[3].split()[:2] == ["12", "id-12"] and lines[4].split()[:2] == ["14", "id-14"]
    assert lines[5] == "  stand nowhere that was looked: 11, 13"


def test_without_any_of_it_nothing_is_shown_and_it_is_refused(tmp_path: Path) -> None:
    longer = known(tmp_path, signed(14, by=(1, 2)))
    with pytest.raises(Doubt, match="nothing shows that the backup's 10 events are part of the 14"):
        compared(10, longer, None, facts([11, 12, 14]))
    by_others = inside(signed(8, by=(0, 1)))
    strangers = replace(by_others, signers=by_others.signers - longer.witnessed.signers)
    with pytest.raises(Doubt, match="nothing shows"):
        compared(10, longer, strangers)


def test_a_checkpoint_that_too_few_signed_is_none(tmp_path: Path) -> None:
    with pytest.raises(BackupRefused, match="does not meet the policy: two is not met"):
        known(tmp_path, signed(7, by=(0,)))
    with pytest.raises(BackupRefused, match="does not meet the policy: no log"):
        known(tmp_path, signed(7), Origin("town", "cases", "other"))


def test_a_restore_in_between_is_followed_where_it_went_on_from_all_that_the_backup_has(tmp_path: Path) -> None:
    child = Origin("town", "cases", "second", After("first", 12, root(LEAVES[:12])))
    given = known(tmp_path, signed(15, origin=child), child)
    both = {**facts([11, 12]), **facts([13, 14, 15], lineage="second")}
    assert compared(10, given, elsewhere=both).proven == 10
    assert compared(12, given, elsewhere={}).proven == 12, "the name of the log says what it grew from"
    with pytest.raises(Doubt, match="they are not one past"):
        compared(13, given, elsewhere=both)
    with pytest.raises(Doubt, match="nothing shows"):
        compared(10, given, inside(signed(8)), {})
    wrong = Origin("town", "cases", "second", After("first", 12, root(OTHERS[:12])))
    with pytest.raises(Doubt, match="not the past that the checkpoint's log grew from"):
        compared(10, known(tmp_path, signed(15, origin=wrong), wrong), elsewhere=both)


def test_a_backup_of_a_restored_town_is_proven_by_what_was_signed_before(tmp_path: Path) -> None:
    child = Origin("town", "cases", "second", After("first", 8, root(LEAVES[:8])))
    assert compared(10, known(tmp_path, signed(7)), origin=child).proven == 7
    with pytest.raises(Doubt, match="the first 7 events of the backup are not those"):
        compared(10, known(tmp_path, signed(7, OTHERS)), origin=child)
    with pytest.raises(Doubt, match="they are not one past"):
        compared(10, known(tmp_path, signed(9)), origin=child)


def test_another_logs_checkpoint_is_no_answer(tmp_path: Path) -> None:
    other = Origin("town", "intake", "first")
    with pytest.raises(BackupRefused, match="the checkpoint is of town/intake"):
        compared(10, known(tmp_path, signed(7, origin=other), other))


def test_an_event_that_waits_for_a_number_is_not_called_lost() -> None:
    at = walked(10)
    at.waiting.add("id-11")
    lines = list(lack("cases", backup(10), at, None, None, facts([11, 12])).lines())
    assert lines[1].startswith("  UNPROVEN: no checkpoint shows that these 10 events are those that were recorded")
    assert lines[3].endswith("and is here without a number") and not lines[4].endswith("number")


def test_whether_anybody_elses_word_stands_for_it(tmp_path: Path) -> None:
    assert not compared(10, None).shown
    assert compared(10, None, inside(signed(8))).shown and compared(10, known(tmp_path, signed(7))).shown
    empty = lack("cases", backup(0), replace(walked(1), position=0), None, None, {})
    assert empty.shown and not any("UNPROVEN" in line for line in empty.lines())
