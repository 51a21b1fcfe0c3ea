"""The evidence pack as a zip, written piece by piece. The same sections give the same bytes."""

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.audit.pack import Section
from shared.audit.pack_pages import Told, html
from shared.audit.pack_readme import readme
from shared.audit.pack_timeline import event_file
from shared.plan.calendar import TOWN_TIME
from shared.receipts import Receipts
from shared.transparency.checkpoint import proof_file
from shared.transparency.note import Note
from shared.verifier import archive, pack_pages

FORMAT = "minewatch-pack/1"
MEDIA_TYPE = "application/zip"
STORED = (".pdf",)
"""Compressed already."""


@dataclass(frozen=True)
class Pack:
    """What is read and run is laid out already, so that nothing can go wrong once bytes have left; `front`: name, content;
    `pages`: service -> what it signed about the pages among them."""

    sections: Sequence[Section]
    front: Sequence[tuple[str, bytes]]
    pages: Mapping[str, Note]

    @staticmethod
    def of(sections: Sequence[Section], told: Told, policy: str, receipts: Sequence[Receipts]) -> "Pack":
        """`policy`: what the town itself suggests; `receipts`: of the service of each section."""
        from shared.audit.pack_pdf import pdf  # ReportLab: a service that makes no pack does not wait for it

        front = [
            ("README.txt", readme(sections, told).encode()),
            ("timeline.html", html(told)),
            ("timeline.pdf", pdf(told)),
            ("minewatch-verify.pyz", archive.build()),
            ("policy", policy.encode()),
        ]
        hashes = [f"{name} {hashlib.sha256(dict(front)[name]).hexdigest()}" for name in pack_pages.PAGES]
        pages = {}
        for section, signing in zip(sections, receipts, strict=True):
            order = base64.b64encode(section.order.leaf).decode()
            pages[section.service] = signing.signed(pack_pages.FORMAT, signing.origin, order, *hashes)
        return Pack(sections, front, pages)

    @property
    def file_name(self) -> str:
        """After the first record that was asked for."""
        return f"minewatch-evidence-{self.sections[0].streams[0].stream}.zip"

    def chunks(self) -> Iterator[bytes]:
        """The zip, a part at a time."""
        outlet = _Outlet()
        at = self.sections[0].order.recorded_at
        with zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED) as written:
            for name, content in self._contents():
                written.writestr(_entry(name, at), content)
                yield outlet.taken()
        yield outlet.taken()

    def _contents(self) -> Iterator[tuple[str, bytes]]:
        yield from self.front
        for section in self.sections:
            yield from _of(section, self.pages[section.service])


def _of(section: Section, pages: Note) -> Iterator[tuple[str, bytes]]:
    name = section.service
    yield f"{name}/checkpoint", str(section.checkpoint).encode()
    yield f"{name}/pack.json", _json(_index(section) | {"pages": str(pages)})
    for event in section.events:
        yield event_file(name, event.position), event.recorded.body
    for event in section.events:
        proof = proof_file(event.position - 1, event.path, section.checkpoint)
        yield f"{name}/proofs/{event.position:08}.tlog-proof", proof.encode()
    for kept in section.files:
        yield f"{name}/files/{kept.name}", kept.content


def _index(section: Section) -> dict[str, object]:
    return {
        "format": FORMAT,
        "origin": section.point.origin,
        "streams": [
            {
                "stream": head.stream,
                "version": head.version,
                "index": head.index,
                "path": [base64.b64encode(hash_).decode() for hash_ in head.path],
            }
            for head in section.streams
        ],
        "events": [event.position for event in section.events],
        "statement": section.statement,
    }


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def _entry(name: str, at: datetime) -> zipfile.ZipInfo:
    """Dated in town time when the pack was ordered; readable for its owner alone once unpacked."""
    local = at.astimezone(TOWN_TIME)
    info = zipfile.ZipInfo(name, (local.year, local.month, local.day, local.hour, local.minute, local.second // 2 * 2))
    info.compress_type = zipfile.ZIP_STORED if name.endswith(STORED) else zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    info.create_system = 3
    return info


class _Outlet(io.RawIOBase):
    """What zipfile writes into; it gives away what came since it was last asked."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, part: object) -> int:
        self._parts.append(bytes(part))  # type: ignore[call-overload]
        return len(self._parts[-1])

    def taken(self) -> bytes:
        whole = b"".join(self._parts)
        self._parts.clear()
        return whole
