"""Whose word counts: the policy of whoever verifies, the checkpoints that meet it, and the logs that these are about."""

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import Key, Note, NoteRefused
from shared.transparency.policy import NONE, Policy, PolicyRefused
from shared.verifier.doubts import Refused, refused

SLACK = timedelta(days=1)
"""How far the clocks of a town and of a witness may differ."""

_ORIGIN = re.compile(
    r"(?P<town>[^/\s+]+)/(?P<service>[^/\s+]+)/(?P<lineage>[^/\s+]+)"
    r"(?:/after/(?P<parent>[^/\s+]+)/(?P<size>0|[1-9][0-9]{0,17})/(?P<root>[0-9a-f]{64}))?"
)


class Unusable(Exception):
    """What it takes to verify cannot be read or does not fit: nothing was verified. `chinese` and `english` say why."""

    def __init__(self, chinese: str, english: str) -> None:
        super().__init__(english)
        self.chinese, self.english = chinese, english


@dataclass(frozen=True)
class Origin:
    """The name of a log; a lineage that was restored also says what it grew from: (lineage, size, root)."""

    town: str
    service: str
    lineage: str
    after: tuple[str, int, bytes] | None

    @property
    def source(self) -> str:
        """What its events name as their source."""
        return f"/{self.town}/{self.service}"


@dataclass(frozen=True)
class Signed:
    """A checkpoint that met the policy. `witnesses`: name and seconds since 1970 of each; `text`: what was signed."""

    checkpoint: Checkpoint
    origin: Origin
    witnesses: tuple[tuple[str, int], ...]
    text: str

    @property
    def latest(self) -> str:
        """No event of the log was recorded after this, written as events write it."""
        now = int(time.time())
        seen = min(now, max((at for _, at in self.witnesses), default=now))
        return (datetime.fromtimestamp(seen, UTC) + SLACK).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def policy_of(written: bytes) -> Policy:
    """Raises Unusable, also for a policy that trusts nobody or counts the operator: with the log's own key as a witness's, or
    with a witness named after the town, TOWN/…, in its quorum: of two that are asked for, one would be the town. `quorum none`
    asks for nobody and claims no more: it can be used, and whoever verifies says what it does not prove."""
    try:
        policy = Policy.read(written.decode())
    except (PolicyRefused, UnicodeDecodeError) as error:
        raise Unusable(f"见证规则（policy）无法读取：{error}", f"the policy cannot be read: {error}") from None
    if not policy.logs:
        raise Unusable("见证规则里没有 log 行：不知道该信哪个日志", "the policy has no log line: it trusts no log")
    keys = {log.public for log in policy.logs}
    for name, key in policy.witnesses.items():
        if key.public in keys:
            raise Unusable(
                f"见证规则把日志自己的公钥当作见证人 {name}：运营方不能见证自己",
                f"the policy has the log's own key as the witness {name}: the operator does not count",
            )
    for town in sorted({log.name.partition("/")[0] for log in policy.logs}):
        for name, line in own_counted(policy, town):
            own = policy.witnesses[name].name
            raise Unusable(
                f"见证规则的“{line}”一行算上了运营方自己的见证人 {name}（{own}）：运营方不能见证自己。请从该行删去 {name}，"
                "并核对该行要求的人数；没有外部见证人时，写 quorum none",
                f"the line `{line}` of the policy counts {name}, which is {own}, a witness of {town}'s own: the operator does "
                f"not count. Take {name} out of it, and see how many it asks for then; with nobody else, say quorum none",
            )
    return policy


def without_witness(policy: Policy) -> bool:
    return policy.quorum == NONE


def own_counted(policy: Policy, town: str) -> Iterator[tuple[str, str]]:
    """(witness, line) wherever one whose name begins with the town's own counts for the quorum."""

    def below(line: str, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        for name in names:
            if name in policy.groups:
                least, members = policy.groups[name]
                yield from below(f"group {name} {least} {' '.join(members)}", members)
            elif policy.witnesses[name].name.startswith(f"{town}/"):
                yield name, line

    if not without_witness(policy):
        yield from below(f"quorum {policy.quorum}", [policy.quorum])


def signed(written: bytes, policy: Policy) -> Signed:
    """Raises Refused for what the policy does not accept, or is no checkpoint of a log of ours."""
    try:
        note = Note.read(written)
        checkpoint = Checkpoint.read(note.text)
    except NoteRefused as error:
        raise refused("checkpoint_form", why=error) from None
    try:
        missing = policy.missing(note)
        times = note.signed_by(policy.witnesses.values())
    except NoteRefused as error:
        raise refused("signature", why=error) from None
    if missing is not None:
        raise refused("quorum", why=missing)
    named = {key: name for name, key in policy.witnesses.items()}
    witnesses = tuple((named[key], at) for key, at in times.items() if at is not None)
    return Signed(checkpoint, origin_of(checkpoint.origin), witnesses, note.text)


def origin_of(written: str) -> Origin:
    """Raises Refused."""
    found = _ORIGIN.fullmatch(written)
    if found is None:
        raise refused("origin", origin=written)
    after = (found["parent"], int(found["size"]), bytes.fromhex(found["root"])) if found["parent"] else None
    return Origin(found["town"], found["service"], found["lineage"], after)


def kept(written: bytes, policy: Policy) -> tuple[Checkpoint, Origin]:
    """A checkpoint that the verifying person kept from before; the log signed it, witnesses or not. Raises Unusable."""
    try:
        note = Note.read(written)
        checkpoint = Checkpoint.read(note.text)
        if not any(key.name == checkpoint.origin for key in note.signed_by(policy.logs)):
            raise NoteRefused(f"no log of the policy signed for {checkpoint.origin}")
        return checkpoint, origin_of(checkpoint.origin)
    except (NoteRefused, Refused) as error:
        why = f"you kept a checkpoint that does not count: {error}"
        raise Unusable(f"您保存的检查点不能用：{error}", why) from None


def key_of(written: str) -> Key:
    """Raises Unusable."""
    try:
        return Key.read(written)
    except NoteRefused as error:
        raise Unusable(f"公钥无法读取：{error}", f"the key cannot be read: {error}") from None
