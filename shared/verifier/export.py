"""An export folder: one service's log, or a folder of them, each against the checkpoint in it."""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from shared.transparency.checkpoint import Checkpoint
from shared.transparency.policy import Policy
from shared.verifier import log
from shared.verifier.doubts import Refused, doubt, refused, shown
from shared.verifier.files import MOST_NOTE, FolderLog, read_file
from shared.verifier.log import Asked, Known
from shared.verifier.progress import Told
from shared.verifier.receipts import Receipt
from shared.verifier.report import Part, Report
from shared.verifier.trust import Origin, Signed, Unusable, origin_of, signed, without_witness
from shared.verifier.working import cores, hands

WORTH_SHARING = 20_000
"""Events from which on more processes take less time than one."""


@dataclass(frozen=True)
class Wanted:
    """`kept`: checkpoints from before that the export must continue; `services`: which of them are to be there and are verified,
    none named: all that the policy has logs of; `processes` 0: as many as there are cores; `scratch`: where temporary files go,
    None for the system's place."""

    policy: Policy
    receipts: tuple[Receipt, ...] = ()
    kept: tuple[tuple[Checkpoint, Origin], ...] = ()
    services: tuple[str, ...] = ()
    processes: int = 0
    scratch: Path | None = None
    told: Told = lambda name, events, size: None


def verify_export(path: Path, wanted: Wanted) -> Report:
    """Raises Unusable when there is no export at `path`."""
    alone = (path / "checkpoint").exists() or (path / "tile").exists()
    folders = [path] if alone else sorted(each for each in path.iterdir() if each.is_dir())
    if not folders:
        raise Unusable(f"{path} 里没有导出的日志", f"{path} holds no exported log")
    if wanted.services and not alone:
        folders = [folder for folder in folders if folder.name in wanted.services]
    report = Report("export", [_one(folder, not alone, wanted) for folder in folders])
    _absent(report, wanted, None if alone else {folder.name for folder in folders})
    _unmatched(report, wanted)
    _remarks(report, wanted.policy)
    return report


def _one(folder: Path, named: bool, wanted: Wanted) -> Part:
    """`named`: the folder's name is to be that of the service."""
    part = Part(shown(folder.name))
    try:
        if not (folder / "checkpoint").exists():
            raise refused("no_log", folder=folder.name)
        found = signed(read_file(folder / "checkpoint", MOST_NOTE, "checkpoint"), wanted.policy)
        part.signed = found
        if named and found.origin.service != folder.name:
            part.doubts.add(doubt("service", folder=folder.name, service=found.origin.service))
        part.name = shown(found.origin.service)
        _check(FolderLog(folder, found.checkpoint.size), found, part, wanted)
    except Refused as error:
        part.doubts.add(error.doubt)
    return part


def _check(files: FolderLog, found: Signed, part: Part, wanted: Wanted) -> None:
    receipts = [receipt for receipt in wanted.receipts if receipt.is_of(found.origin)]
    asked = Asked(
        found.origin.source,
        found.latest,
        (Known(found.checkpoint.size, found.checkpoint.root, "root"), *_known(found, part, wanted.kept)),
        frozenset(leaf for receipt in receipts for leaf in receipt.leaves),
    )
    began = time.monotonic()
    part.doubts.take(files.strays())
    processes = (wanted.processes or cores()) if files.size >= WORTH_SHARING else 1
    with hands(processes) as shared:
        checked = log.check(
            files, asked, shared, wanted.scratch, lambda events: wanted.told(part.name, events, files.size)
        )
    part.seconds = time.monotonic() - began
    part.doubts.take(checked.doubts)
    part.events, part.streams, part.statements = files.size, checked.streams, checked.statements
    for receipt in receipts:
        receipt.against(part, checked)


def _known(found: Signed, part: Part, kept: Sequence[tuple[Checkpoint, Origin]]) -> list[Known]:
    """The roots that earlier sizes must have had: of the lineage it grew from, and of checkpoints that somebody kept."""
    known: list[Known] = []
    size, after = found.checkpoint.size, found.origin.after
    if after is not None and after[1] > size:
        part.doubts.add(doubt("lineage_size", size=after[1], there=size))
    elif after is not None:
        known.append(Known(after[1], after[2], "lineage"))
    for point, origin in kept:
        if point.origin == found.checkpoint.origin:
            common = size
        elif after is not None and _is_parent(origin, found.origin):
            common = min(after[1], size)
        else:
            continue
        if point.size > common:
            part.doubts.add(doubt("known_size", size=point.size, there=common))
        else:
            known.append(Known(point.size, point.root, "known"))
    return known


def _is_parent(origin: Origin, child: Origin) -> bool:
    return child.after is not None and (origin.town, origin.service, origin.lineage) == (
        child.town, child.service, child.after[0]
    )  # fmt: skip


def _absent(report: Report, wanted: Wanted, folders: Collection[str] | None) -> None:
    """Services of which there is no log here. `folders`: their names, None for one that was given by itself: who points at one
    log expects no other."""
    there = [part.signed.origin for part in report.parts if part.signed is not None]
    towns = {origin.town for origin in there}
    expected = set(wanted.services)
    if not expected and folders is not None:
        expected = {origin.service for origin in _trusted(wanted.policy) if origin.town in towns}
    for service in sorted(expected - {origin.service for origin in there} - set(folders or ())):
        report.doubts.add(doubt("log_absent", service=service))


def _trusted(policy: Policy) -> Iterator[Origin]:
    """The logs of the policy; a key for receipts is none."""
    for key in policy.logs:
        with suppress(Refused):
            yield origin_of(key.name)


def _unmatched(report: Report, wanted: Wanted) -> None:
    """What was brought along and belongs to no log of the export: it proves nothing here, and must not seem to."""
    there = [part.signed for part in report.parts if part.signed is not None]
    for receipt in wanted.receipts:
        if not any(receipt.is_of(each.origin) for each in there):
            report.doubts.add(doubt("receipt_origin", origin=receipt.written_origin))
    for point, origin in wanted.kept:
        if not any(point.origin == each.checkpoint.origin or _is_parent(origin, each.origin) for each in there):
            report.doubts.add(doubt("known_origin", origin=point.origin))


def _remarks(report: Report, policy: Policy) -> None:
    origins = {part.signed.checkpoint.origin for part in report.parts if part.signed is not None}
    missing = [key.name for key in policy.logs if key.name not in origins and not key.name.endswith("/receipts")]
    if missing:
        names = ", ".join(missing)
        report.remarks.append(
            (f"规则里的这些日志没有在此核验：{names}", f"these logs of your policy were not verified here: {names}")
        )
    if without_witness(policy):
        report.remarks.append(NO_WITNESS)


NO_WITNESS = (
    "您的规则不要求见证（quorum none）：这不能证明运营方自己没有改动",
    "your policy asks for no witness (quorum none): this proves nothing against the operator itself",
)
