"""The pages of an evidence pack that people read: which they are is signed by each service of which the pack has a part.

    minewatch-pages/1
    ORIGIN
    LEAF                base64, of the order
    README.txt HEX      SHA-256
    timeline.html HEX
    timeline.pdf HEX

It is a signed note by the service's key for receipts, ORIGIN/receipts, in "pages" of SERVICE/pack.json. What the pages say, the
service opened: they are its word, and no witness's.
"""

import base64

from shared.transparency.note import LOG, Key, Note, NoteRefused
from shared.verifier.doubts import doubt
from shared.verifier.pack_parts import NOTHING, Said
from shared.verifier.report import Part
from shared.verifier.zips import Zip

FORMAT = "minewatch-pages/1"
PAGES = ("README.txt", "timeline.html", "timeline.pdf")


def check(written: str | None, files: Zip, part: Part, order: bytes, said: Said, keys: tuple[Key, ...]) -> None:
    """Adds doubts and a remark to `part`, whose checkpoint is proven. `order`: the leaf of its order, which says `said`; `keys`:
    those trusted. Raises Refused for a page that cannot be read."""
    assert part.signed is not None
    origin = part.signed.checkpoint.origin
    name = f"{origin}/receipts"
    trusted = [key for key in keys if key.name == name and key.kind == LOG]
    if written is None:
        if trusted and said != NOTHING:  # since orders say whose parts there are, each part says what the pages are
            part.doubts.add(doubt("pages_unsigned", name=name))
        part.remarks.append(
            ("README 和 timeline 没有签名，不在证明之内", "nobody signed README and timeline: they are not proven")
        )
        return
    try:
        note = Note.read(written.encode())
        signed = note.signed_by(trusted)
        lines = note.text.split("\n")
        if lines[0] != FORMAT or [line.partition(" ")[0] for line in lines[3:]] != [*PAGES, ""]:
            raise NoteRefused(f"it is no {FORMAT} about {', '.join(PAGES)}")
    except (NoteRefused, UnicodeEncodeError) as error:
        part.doubts.add(doubt("pages_form", why=error))
        return
    if lines[1:3] != [origin, base64.b64encode(order).decode()]:
        part.doubts.add(doubt("pages_other"))
    for page, line in zip(PAGES, lines[3:-1], strict=True):
        if page not in files.names:
            part.doubts.add(doubt("file_missing", file=page))
        elif line != f"{page} {files.sha256(page)}":
            part.doubts.add(doubt("page", file=page))
    if signed:
        part.remarks.append(
            (f"README 和 timeline 与 {name} 所签的一致：这是出包服务自己的话，见证单位没有签",
             f"README and timeline are those that {name} signed: the word of the service that gave the pack, and of no witness")
        )  # fmt: skip
    elif trusted:
        part.doubts.add(doubt("pages_unsigned", name=name))
    else:
        part.remarks.append(
            (f"您没有给出 {name} 的公钥（--receipt-key）：README 和 timeline 出自谁手，没有证明",
             f"you gave no key of {name} (--receipt-key): whose README and timeline are is not proven")
        )  # fmt: skip
