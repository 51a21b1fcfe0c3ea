"""A backup beside the newest witnessed checkpoint that is known: one past, proven, and exactly what the backup lacks of it, or
has beyond it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from shared.backup.elsewhere import Fact
from shared.backup.logs import Walked
from shared.backup.manifest import BackupRefused, Doubt, Manifest, Part
from shared.backup.verify import Witnessed
from shared.transparency import tree
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import Note, NoteRefused
from shared.transparency.origin import Origin
from shared.transparency.policy import Policy

SECONDS = "%Y-%m-%d %H:%M:%S"
Facts = Mapping[tuple[str, str], Mapping[int, Fact]]

ORDINARY = timedelta(minutes=10)
"""Between the newest signature and the backup, while events that nobody signed are no more than a log that is at work always has:
sixty checkpoints, two of the longest pauses before a witness is asked again, and when QuorumNotMet calls witnesses late."""


@dataclass(frozen=True)
class Lack:
    """Where one log of the backup ends, what comes after, and up to where it is proven.

    `known`: size of the newest checkpoint, None when none was given; `proven`: how many of the backup's events are those that
    were signed as the policy asks, `signed_at` when, None where no witness said; `facts`: what still stands elsewhere; `waiting`:
    ids of events that are here, without a number; `made`: when the backup was taken, as it says; `since`, `last`: when the first
    event beyond `proven` and the last of all were recorded.
    """

    service: str
    part: Part
    known: int | None
    proven: int
    facts: Mapping[int, Fact]
    waiting: frozenset[str]
    signed_at: datetime | None
    made: datetime
    since: str | None
    last: str | None

    @property
    def end(self) -> int:
        """Up to where the log is known to have gone."""
        return max(self.known or 0, self.part.position, *self.facts, 0)

    @property
    def shown(self) -> bool:
        """Whether somebody else's word stands for any of it. A log without events needs none."""
        return self.proven > 0 or self.part.position == 0

    @property
    def sound(self) -> bool:
        """Whether all of it is signed but what came in the last moments. By the time that a witness signed, never by those that
        the events give: who makes up events makes up their times. Either way, or an older date would hide what was cut off."""
        if self.part.position == self.proven and not self.waiting:
            return True
        return self.shown and self.signed_at is not None and abs(self.made - self.signed_at) <= ORDINARY

    def lines(self, most: int | None = None) -> Iterator[str]:
        """For people; at most `most` facts one by one."""
        at, part = self.part.position, self.part
        until = f"{part.sequenced_at:{SECONDS}} UTC" if part.sequenced_at is not None else "never"
        yield f"{self.service}: the backup ends at position {at} of {self.end} (recorded until {until})" + (
            f"; {self.end - at} facts are missing" if self.end > at else "; nothing is known to be missing"
        )
        yield from self._proof()
        shown = 0
        for position in range(at + 1, self.end + 1):
            fact = self.facts.get(position)
            if fact is not None and (most is None or shown < most):
                shown += 1
                here = ", and is here without a number" if fact.event_id in self.waiting else ""
                yield f"  {position}  {fact.event_id}  {fact.type}  {fact.recorded_at}  stands in {fact.where}{here}"
        if len(self.facts) > shown:
            yield f"  … and {len(self.facts) - shown} more that stand elsewhere"
        if lost := list(_ranges(p for p in range(at + 1, self.end + 1) if p not in self.facts)):
            yield f"  stand nowhere that was looked: {', '.join(lost)}"

    def _proof(self) -> Iterator[str]:
        """What is signed, what is not, and whether that is ordinary."""
        at = self.part.position
        if not self.shown:
            yield (
                f"  UNPROVEN: no checkpoint shows that these {at} events are those that were recorded, or what came after them; "
                f"recorded from {self.since} to {self.last}"
            )
        elif at == 0:
            yield "  it holds no events, and no checkpoint says whether there were any"
        elif self.proven == at:
            newest = f"; newest signature: {self.signed_at:{SECONDS}} UTC" if self.signed_at is not None else ""
            yield f"  all {at} events were signed as the policy asks{newest}"
        else:
            yield (
                f"  the first {self.proven} events were signed as the policy asks; nobody signed {_range(self.proven + 1, at)}: "
                f"{at - self.proven} of {at}, recorded from {self.since} to {self.last}"
            )
        if self.waiting:
            yield f"  {len(self.waiting)} events more are here that had no number yet, and nobody signed; they get new ones"
        if self.shown and (self.proven < at or self.waiting):
            yield f"  {'ordinary' if self.sound else 'UNPROVEN'}: {self._lag()}"

    def _lag(self) -> str:
        if self.signed_at is None:
            return "no witness gave a time, so nothing shows how long this was left unsigned"
        apart = timedelta(seconds=round(abs(self.made - self.signed_at).total_seconds()))
        order = "later" if self.made >= self.signed_at else "EARLIER"
        return f"signed {self.signed_at:{SECONDS}} UTC, taken {self.made:{SECONDS}} UTC as the backup says, {apart} {order}"


def _ranges(positions: Iterator[int]) -> Iterator[str]:
    begin = end = 0
    for position in positions:
        if position != end + 1 or not begin:
            if begin:
                yield _range(begin, end)
            begin = position
        end = position
    if begin:
        yield _range(begin, end)


def _range(begin: int, end: int) -> str:
    return str(begin) if begin == end else f"{begin}–{end}"


@dataclass(frozen=True)
class Known:
    """The newest checkpoint of a service's log that was given, and met the policy."""

    witnessed: Witnessed
    origin: Origin

    @property
    def checkpoint(self) -> Checkpoint:
        return self.witnessed.checkpoint

    @staticmethod
    def read(path: Path, policy: Policy) -> "Known":
        """Raises BackupRefused for what is no checkpoint or does not meet the policy."""
        try:
            note = Note.read(path.read_bytes())
            origin = Origin.read(Checkpoint.read(note.text).origin)
            found = Witnessed.of(note, policy)
        except OSError as error:
            raise BackupRefused(f"{path} cannot be read: {error.strerror}") from None
        except NoteRefused as error:
            raise BackupRefused(f"{path} is no checkpoint of a log: {error}") from None
        if isinstance(found, str):
            raise BackupRefused(f"{path} does not meet the policy: {found}")
        return Known(found, origin)


def lack(
    service: str, manifest: Manifest, walked: Walked, known: Known | None, witnessed: Witnessed | None, facts: Facts
) -> Lack:
    """`witnessed`: the newest checkpoint inside the backup that meets the policy. Raises Doubt when the backup contradicts what
    is known, or cannot be shown to be of the same past; BackupRefused for a checkpoint of another log."""
    part = manifest.services[service]
    beyond = dict(facts.get((service, part.lineage), {}))

    def found(known: int | None, proven: int, by: Witnessed | None) -> Lack:
        at, since = (None if by is None else by.at), walked.since.get(proven)
        waiting = frozenset(walked.waiting)
        return Lack(service, part, known, proven, beyond, waiting, at, manifest.made, since, walked.last)

    if known is None:
        signed = None if witnessed is None else witnessed.checkpoint.size
        return found(signed, signed or 0, witnessed)
    if known.origin.log != f"{manifest.jurisdiction}/{service}":
        raise BackupRefused(f"{service}: the checkpoint is of {known.origin.log}")
    size = known.checkpoint.size
    before = Origin.read(part.origin).after
    # Of the past that the backup's log grew from, or of the log itself.
    of_parent = before is not None and before.parent == known.origin.lineage and size <= before.size
    if not of_parent and known.checkpoint.origin != part.origin:
        after = known.origin.after
        if after is None or after.parent != part.lineage or part.position > after.size:
            raise Doubt(
                f"{service}: the checkpoint is of the log {known.checkpoint.origin}, the backup of {part.origin}: they are not "
                "one past, because the town was restored in between. Take a backup or a checkpoint of the same lineage"
            )
        beyond = {position: fact for position, fact in beyond.items() if position <= after.size}
        beyond |= {p: f for p, f in facts.get((service, known.origin.lineage), {}).items() if p > after.size}
    if size > part.position:
        proven = _proven(service, part, walked, known, witnessed, beyond)
        whole = proven == part.position
        return found(size, proven, _nearest(manifest.made, known.witnessed, witnessed) if whole else witnessed)
    if walked.roots[size] != known.checkpoint.root:
        raise Doubt(f"{service}: the first {size} events of the backup are not those that the witnesses signed")
    newest = known.witnessed if witnessed is None or witnessed.checkpoint.size < size else witnessed
    return found(newest.checkpoint.size, newest.checkpoint.size, newest)


def _nearest(made: datetime, known: Witnessed, inside: Witnessed | None) -> Witnessed:
    """While all numbered events are proven: the signature nearest to when the backup was taken, before it or after. Where
    somebody signed so near, what waits for a number is no more than a log at work always has."""

    def apart(by: Witnessed) -> timedelta:
        return abs(made - by.at) if by.at is not None else timedelta.max

    return known if inside is None or apart(known) <= apart(inside) else inside


def _proven(
    service: str, part: Part, walked: Walked, known: Known, witnessed: Witnessed | None, beyond: Mapping[int, Fact]
) -> int:
    """The checkpoint is of a longer log. With the events in between its root can be computed. Without them there is the word of
    a witness that also signed an earlier checkpoint of the same log: it signs only what grew from what it signed before."""
    size, frontier = part.position, walked.frontier
    after = known.origin.after if known.checkpoint.origin != part.origin else None
    while size < known.checkpoint.size and size + 1 in beyond:
        size, frontier = tree.extend(size, frontier, (beyond[size + 1].leaf,))
        if after is not None and size == after.size and tree.root(frontier) != after.root:
            raise Doubt(f"{service}: the backup is not the past that the checkpoint's log grew from")
    if size == known.checkpoint.size:
        if tree.root(frontier) != known.checkpoint.root:
            raise Doubt(
                f"{service}: the backup's {part.position} events and those found after them are not the log of {size} events "
                "that the witnesses signed"
            )
        return part.position
    if after is not None and part.position == after.size and tree.root(walked.frontier) == after.root:
        return part.position
    if after is not None or witnessed is None or not witnessed.signers & known.witnessed.signers:
        raise Doubt(
            f"{service}: nothing shows that the backup's {part.position} events are part of the {known.checkpoint.size} that the "
            "witnesses signed. Give a copy that has the events in between (--also), or an earlier checkpoint"
        )
    return witnessed.checkpoint.size
