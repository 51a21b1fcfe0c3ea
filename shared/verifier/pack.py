"""An evidence pack: every event in the log, every record whole up to the statement of heads, every file the one that is named."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.transparency.checking import ProofRefused, check_inclusion
from shared.transparency.note import Key
from shared.transparency.policy import Policy
from shared.verifier import pack_list, pack_pages, pack_parts
from shared.verifier.bodies import Bodies, Facts, parsed
from shared.verifier.chains import Statement
from shared.verifier.doubts import Doubt, Doubts, Refused, doubt, refused
from shared.verifier.export import NO_WITNESS
from shared.verifier.files import MOST_BODY, MOST_NOTE
from shared.verifier.log import statement_of
from shared.verifier.pack_list import Head, Listed
from shared.verifier.pack_parts import Said
from shared.verifier.progress import Told
from shared.verifier.proofs import Proof, must_include
from shared.verifier.report import Part, Report
from shared.verifier.roots import leaf_of
from shared.verifier.scratch import HEAD, stream_hash
from shared.verifier.trust import Signed, signed, without_witness
from shared.verifier.zips import Zip

FRONT = (*pack_pages.PAGES, "minewatch-verify.pyz", "policy")
"""For people. Of the pages it is looked whose word they are; nothing else in them is proven."""
KIND = "evidence_pack"
MOST_LIST = 64 << 20
NOT_KEPT = "cases.campaign.adopted."
"""An event that names a plan file, which whoever obeys the plan holds."""

_MEMBER = re.compile(r"(?P<service>[^/]+)/(?P<rest>checkpoint|pack\.json|(?:events|proofs|files)/[^/]+)")
_EVENT = re.compile(r"events/([0-9]{8,18})\.json")
_FILE = re.compile(r"files/([0-9a-f]{64})(\.sealed)?")


@dataclass
class Event:
    facts: Facts
    leaf: bytes
    body: bytes


Versions = dict[int, tuple[int, Event]]
"""Of one stream: version -> (position, event)."""


@dataclass
class Section:
    """One service's part while it is read. `events`: by position, those that are in the log; `said`: by its order, once that was
    read, of whose parts the pack is made; `order`: the leaf of that."""

    name: str
    files: Zip
    part: Part
    events: dict[int, Event] = field(default_factory=dict)
    said: Said | None = None
    order: bytes = b""

    def member(self, rest: str) -> str:
        return f"{self.name}/{rest}"


def verify_pack(path: Path, policy: Policy, told: Told = lambda *_: None, keys: tuple[Key, ...] = ()) -> Report:
    """`keys`: for receipts, those of the policy apart. Raises Unusable for what is no zip at all."""
    report = Report("pack")
    with Zip(path) as files:
        report.doubts.take(files.doubts)
        if files.doubts.count:
            return report
        names = _sections(files, report.doubts)
        if not names:
            report.doubts.add(doubt("no_section"))
        sections = [Section(name, files, Part(name)) for name in names]
        report.parts = [_verified(section, policy, told, (*policy.logs, *keys)) for section in sections]
    orders = {section.name: section.said for section in sections}
    report.doubts.take(pack_parts.doubts_of(orders))
    report.remarks.extend(pack_parts.remarks_of(orders))
    joined = ", ".join(names)
    report.remarks.append(
        (f"只证明这些服务的部分：{joined}；README 和 timeline 供阅读，其出处见各部分的说明",
         f"proven are the parts of {joined}; README and timeline are for reading: whose word they are, each part says")
    )  # fmt: skip
    if without_witness(policy):
        report.remarks.append(NO_WITNESS)
    return report


def _sections(files: Zip, doubts: Doubts) -> list[str]:
    names: dict[str, None] = {}
    for name in files.names:
        found = _MEMBER.fullmatch(name)
        if found is not None:
            names[found["service"]] = None
        elif name not in FRONT:
            doubts.add(doubt("stray", file=name))
    return sorted(names)


def _verified(section: Section, policy: Policy, told: Told, keys: tuple[Key, ...]) -> Part:
    part, doubts = section.part, section.part.doubts
    try:
        if section.member("checkpoint") not in section.files.names:
            raise refused("no_log", folder=section.name)
        found = signed(section.files.read(section.member("checkpoint"), MOST_NOTE), policy)
        part.signed = found
        if found.origin.service != section.name:
            doubts.add(doubt("service", folder=section.name, service=found.origin.service))
        name = section.member("pack.json")
        listed = pack_list.listed(section.files.read(name, MOST_LIST), name, found.checkpoint.origin)
        bodies = Bodies(found.origin.source, found.latest)
        for nth, position in enumerate(listed.events, 1):
            _event(section, position, found, bodies)
            told(section.name, nth, len(listed.events))
        doubts.take(_strays(section, listed))
        _whole(section, listed)
        _files(section)
        pack_pages.check(listed.pages, section.files, part, section.order, section.said or pack_parts.NOTHING, keys)
        part.events, part.streams = len(section.events), len(listed.streams)
    except Refused as error:
        doubts.add(error.doubt)
    return part


def _strays(section: Section, listed: Listed) -> Iterator[Doubt]:
    expected = {"checkpoint", "pack.json"}
    for position in listed.events:
        expected |= {_event_name(position), _proof_name(position)}
    for name in section.files.names:
        service, _, rest = name.partition("/")
        if service == section.name and rest not in expected and not _FILE.fullmatch(rest):
            extra = _EVENT.fullmatch(rest)
            yield doubt("event_extra", int(extra[1])) if extra else doubt("stray", file=name)


def _event(section: Section, position: int, found: Signed, bodies: Bodies) -> None:
    """Reads one event and its proof; what holds goes to the section's events."""
    doubts, names = section.part.doubts, section.files.names
    name, proof_name = section.member(_event_name(position)), section.member(_proof_name(position))
    if name not in names:
        doubts.add(doubt("event_missing", position))
        return
    try:
        body = section.files.read(name, MOST_BODY, position)
        if proof_name not in names:
            raise refused("file_missing", position, file=proof_name)
        proof = Proof.read(section.files.read(proof_name, MOST_NOTE, position), position)
        if proof.index + 1 != position:
            raise refused("proof_index", position, there=proof.index + 1)
        if proof.note.partition(b"\n\n")[0] + b"\n" != found.text.encode():
            raise refused("proof_other", position)
        must_include(body, position - 1, proof.path, found.checkpoint)
        facts = bodies.facts(body, position)
        section.events[position] = Event(facts, leaf_of(body), body)
    except Refused as error:
        doubts.add(error.doubt)


def _whole(section: Section, listed: Listed) -> None:
    """Every stream from its first version to the one that the statement of heads has, and nothing else."""
    doubts = section.part.doubts
    statement, own = _stated(section, listed)
    heads = {head.stream: head for head in listed.streams}
    streams: dict[str, Versions] = {}
    for position, event in sorted(section.events.items()):
        stream, version = event.facts[1], event.facts[2]
        if stream != own and stream not in heads:
            doubts.add(doubt("foreign", position, stream=stream))
        elif position > statement.size and stream != own:
            doubts.add(doubt("after", position, size=statement.size))
        elif version in streams.setdefault(stream, {}):
            doubts.add(doubt("twice", position, stream=stream, version=version))
        else:
            streams[stream][version] = (position, event)
    for stream, head in heads.items():
        doubts.take(_stream(head, streams.get(stream, {}), statement))
    if own not in heads:
        doubts.take(_chain(own, 0, streams.get(own, {})))


def _stated(section: Section, listed: Listed) -> tuple[Statement, str]:
    """The statement, and the stream that its event belongs to. Raises Refused."""
    event = section.events.get(listed.statement)
    if event is None:
        raise refused("statement", listed.statement)
    data = parsed(event.body, listed.statement)["data"]
    if event.facts[5] != f"{section.name}.opening.made.v1":
        raise refused("statement", listed.statement)
    statement = statement_of(data.get("heads"), listed.statement)
    section.part.statements = 1
    section.part.remarks.append(
        (f"完整性截至日志前 {statement.size:,} 个事件（声明是第 {statement.position} 号，记录于 {event.facts[4]}）",
         f"complete as of the first {statement.size:,} events of the log (said by event {statement.position}, recorded at "
         f"{event.facts[4]})")
    )  # fmt: skip
    section.said, section.order = pack_parts.said(data, listed.statement), event.leaf
    about, there = data.get("about"), {head.stream for head in listed.streams}
    asked = set(about) if isinstance(about, list) else set()
    if data.get("kind") != KIND or not asked:
        section.part.doubts.add(doubt("no_order", listed.statement))
    for stream in asked - there:
        section.part.doubts.add(doubt("about", listed.statement, stream=stream))
    for stream in there - asked:
        section.part.doubts.add(doubt("unasked", listed.statement, stream=stream))
    return statement, event.facts[1]


def _stream(head: Head, versions: Versions, statement: Statement) -> Iterator[Doubt]:
    yield from _chain(head.stream, head.version, versions)
    if head.version not in versions:
        return
    position, last = versions[head.version]
    entry = stream_hash(head.stream) + HEAD.pack(head.version, last.leaf)
    try:
        check_inclusion(leaf_of(entry), head.index, statement.streams, statement.root, head.path)
        if max(versions) > head.version:
            raise ProofRefused(f"version {max(versions)} is there")
    except ProofRefused as error:
        yield doubt("head", position, stream=head.stream, version=head.version, why=error)


def _chain(stream: str, last: int, versions: Versions) -> Iterator[Doubt]:
    """Versions 1 to `last` (0: to whichever is there), each with the leaf of the one before and later in the log."""
    before: tuple[int, Event] | None = None
    wanted = 1
    for version, (position, event) in sorted(versions.items()):
        if version != wanted:
            yield doubt("gap", position, stream=stream, version=wanted)
        elif before is not None and (event.facts[3] != before[1].leaf.hex() or position < before[0]):
            yield doubt("prev", position, version=version)
        before, wanted = (position, event), version + 1
    if wanted <= last:
        yield doubt("gap", None, stream=stream, version=wanted)


def _files(section: Section) -> None:
    doubts = section.part.doubts
    named: dict[str, tuple[int, str]] = {}
    for position, event in sorted(section.events.items()):
        for sha256 in _named(parsed(event.body, position)["data"]):
            named.setdefault(sha256, (position, event.facts[5]))
    there = set()
    for name in section.files.names:
        found = _FILE.fullmatch(name[len(section.name) + 1 :]) if name.startswith(f"{section.name}/") else None
        if found is None:
            continue
        there.add(found[1])
        if found[1] not in named:
            doubts.add(doubt("file_unnamed", file=name))
        elif found[2]:
            section.part.remarks.append(
                (f"{name} 是加密内容，密钥已销毁，无法与事件中的 SHA-256 核对",
                 f"{name} is ciphertext whose key was destroyed; it cannot be held against the SHA-256 in the event")
            )  # fmt: skip
        elif section.files.sha256(name) != found[1]:
            doubts.add(doubt("file_hash", named[found[1]][0], file=name))
    for sha256, (position, kind) in named.items():
        if sha256 not in there and not kind.startswith(NOT_KEPT):
            doubts.add(doubt("file_absent", position, file=sha256))


def _named(value: Any) -> Iterator[str]:
    """The SHA-256 of files that an event's data name, however deep."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "sha256" and isinstance(inner, str) and re.fullmatch(r"[0-9a-f]{64}", inner):
                yield inner
            else:
                yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)


def _event_name(position: int) -> str:
    return f"events/{position:08}.json"


def _proof_name(position: int) -> str:
    return f"proofs/{position:08}.tlog-proof"
