"""What was signed of the logs, checkpoint by checkpoint: under the signer's key, with the log's own root, never two for one size,
all of the log in the end; and what a witness signed is not ahead of it."""

from collections.abc import Iterator

from shared.contracts.envelope import leaf_of
from shared.transparency import tree
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import LOG, Key, Note, NoteRefused
from tests.faults.records import Book, Records
from tests.faults.signing import Signing


def signed(records: Records) -> Iterator[str]:
    """Nothing to say of a town that has no signer."""
    if (signing := records.signing) is None:
        return
    for why in signing.refused:
        yield f"signed: somebody was asked to sign what contradicts what was signed: {why}"
    for book in records.books.values():
        roots = _roots(book, {size for _, size in signing.signed} | {row["size"] for row in book.checkpoints})
        for what in (*_kept(book, signing, roots), *_remembered(book, signing, roots), *_witnessed(book, signing)):
            yield f"signed: {book.service}: {what}"


def _roots(book: Book, sizes: set[int]) -> dict[int, bytes]:
    """size -> the root of so many leaves, as the log stands."""
    roots: dict[int, bytes] = {}
    at, frontier = 0, tree.unpack(b"")
    for size in sorted(size for size in sizes if size <= len(book.rows)):
        at, frontier = tree.extend(at, frontier, (leaf_of(row["body"]) for row in book.rows[at:size]))
        roots[size] = tree.root(frontier)
    return roots


def _kept(book: Book, signing: Signing, roots: dict[int, bytes]) -> Iterator[str]:
    """Also those of earlier lineages that stand: a restored database holds them up to where it was set back, and no further."""
    newest = 0
    for row in book.checkpoints:
        origin, size = row["origin"], row["size"]
        which = f"the checkpoint of {size} in lineage {_lineage(origin)}"
        if _lineage(origin) == str(book.head["lineage"]):
            newest = max(newest, size)
        try:
            note, key = Note.read(row["note"].encode()), Key(origin, LOG, signing.signer)
            if key not in note.signed_by([key]):
                yield f"{which} has no line of the signer"
            if Checkpoint.read(note.text) != Checkpoint(origin, size, row["root"]):
                yield f"{which} says something else than its row"
        except NoteRefused as error:
            yield f"{which}: {error}"
        if size not in roots:
            yield f"{which} is beyond the log, which ends at {len(book.rows)}"
        elif row["root"] != roots[size]:
            yield f"{which} has another root than the log"
        if signing.signed.get((origin, size)) != row["root"]:
            yield f"{which} is not what the signer remembers"
    if newest != len(book.rows):
        yield f"signed up to {newest} of {len(book.rows)}"


def _remembered(book: Book, signing: Signing, roots: dict[int, bytes]) -> Iterator[str]:
    """What was signed of this lineage is this log; of others, what a restore took away is nobody's any more."""
    for (origin, size), root in signing.signed.items():
        if _lineage(origin) == str(book.head["lineage"]) and roots.get(size) != root:
            yield f"the signer signed {size} events of it, which are not the log's {len(book.rows)}"


def _witnessed(book: Book, signing: Signing) -> Iterator[str]:
    notes = {(row["origin"], row["size"]): row["note"] for row in book.checkpoints}
    if not book.cosignatures:
        yield "no witness ever signed it"
    for row in book.cosignatures:
        which = f"the witness's line for {row['size']}"
        if (note := notes.get((row["origin"], row["size"]))) is None:
            yield f"{which} is under no checkpoint"
            continue
        try:
            if signing.witness not in Note.read(f"{note}{row['line']}".encode()).signed_by([signing.witness]):
                yield f"{which} is not its own"
        except NoteRefused as error:
            yield f"{which}: {error}"
    for origin, (size, root) in signing.cosigned.items():
        if origin.split("/")[1] != book.service:
            continue
        if signing.signed.get((origin, size)) != root:
            yield f"the witness signed {size} events of it, which the signer never did"
        if _lineage(origin) == str(book.head["lineage"]) and size > len(book.rows):
            yield f"the witness is ahead: it signed {size} events, the log has {len(book.rows)}"


def _lineage(origin: str) -> str:
    return origin.split("/")[2]
