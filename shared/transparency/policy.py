"""Whose signatures make a checkpoint count (C2SP tlog-policy): logs, witnesses, groups of them, and one quorum."""

from dataclasses import dataclass, field

from shared.transparency.note import LOG, WITNESS, Key, Note, NoteRefused

NONE = "none"


class PolicyRefused(ValueError):
    """The policy file cannot be read; says the line."""


@dataclass(frozen=True)
class Policy:
    """`groups`: name -> (how many of them, their names), each name a witness or an earlier group. `urls`: where witnesses are
    asked, for those of whom it is said."""

    logs: tuple[Key, ...]
    witnesses: dict[str, Key]
    groups: dict[str, tuple[int, tuple[str, ...]]]
    quorum: str
    urls: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def read(written: str) -> "Policy":
        """Raises PolicyRefused."""
        reading = _Reading()
        for number, line in enumerate(written.split("\n"), 1):
            words = line.strip(" \t").replace("\t", " ").split(" ")
            words = [word for word in words if word]
            if words and not words[0].startswith("#"):
                try:
                    reading.line(words)
                except ValueError as error:  # NoteRefused, too
                    raise PolicyRefused(f"line {number}: {error}") from None
        if reading.quorum is None:
            raise PolicyRefused("a policy has one quorum line")
        return Policy(tuple(reading.logs), reading.witnesses, reading.groups, reading.quorum, reading.urls)

    def missing(self, note: Note) -> str | None:
        """None when a log and a quorum of witnesses signed, else what is missing. Raises NoteRefused for a signature that does
        not fit."""
        signed = set(note.signed_by([*self.logs, *self.witnesses.values()]))
        origin = note.text.split("\n", 1)[0]
        if self.logs and not any(log in signed and log.name == origin for log in self.logs):
            return f"no log of the policy signed for {origin}"
        there = {name for name, key in self.witnesses.items() if key in signed}
        if self.quorum != NONE and not self._met(self.quorum, there):
            return f"{self.quorum} is not met: {', '.join(sorted(there)) or 'no witness'} signed"
        return None

    def _met(self, name: str, there: set[str]) -> bool:
        if name in self.witnesses:
            return name in there
        least, members = self.groups[name]
        return sum(self._met(member, there) for member in members) >= least


class _Reading:
    def __init__(self) -> None:
        self.logs: list[Key] = []
        self.witnesses: dict[str, Key] = {}
        self.groups: dict[str, tuple[int, tuple[str, ...]]] = {}
        self.quorum: str | None = None
        self.urls: dict[str, str] = {}
        self._members: set[str] = set()

    def line(self, words: list[str]) -> None:
        match words:
            case ["log", vkey] | ["log", vkey, _]:
                self.logs.append(self._key(vkey, LOG, self.logs))
            case ["witness", name, vkey, *url] if len(url) < 2:
                self._fresh(name)
                self.witnesses[name] = self._key(vkey, WITNESS, list(self.witnesses.values()))
                if url:
                    self.urls[name] = url[0]
            case ["group", name, least, *members] if members:
                self._fresh(name)
                self.groups[name] = (self._least(least, len(members)), tuple(members))
                for member in members:
                    self._known(member)
                    if member in self._members:
                        raise ValueError(f"{member} is a member twice")
                    self._members.add(member)
            case ["quorum", name]:
                if self.quorum is not None:
                    raise ValueError("a policy has one quorum line")
                if name != NONE:
                    self._known(name)
                self.quorum = name
            case _:
                raise ValueError(f"{words[0]!r} is not log, witness, group or quorum with what belongs to it")

    def _fresh(self, name: str) -> None:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise ValueError(f"the name {name} is taken")

    def _known(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise ValueError(f"{name} is not defined above")

    def _least(self, written: str, members: int) -> int:
        if written in ("all", "any"):
            return members if written == "all" else 1
        if not (written.isascii() and written.isdigit() and 1 <= int(written) <= members):
            raise ValueError(f"{written} of {members} members")
        return int(written)

    def _key(self, vkey: str, kind: int, others: list[Key]) -> Key:
        key = Key.read(vkey)
        if key.kind != kind:
            raise NoteRefused(f"{key.name} is no key of a {'log' if kind == LOG else 'witness'}")
        # One witness under two names would count twice. A log's key stands under the name of each of its lineages.
        if any(other.public == key.public and (kind == WITNESS or other.name == key.name) for other in others):
            raise NoteRefused(f"{key.name} is there twice")
        return key
