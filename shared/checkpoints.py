"""Checkpoints as the record keeps them: the log's name, and the newest note with all lines that sign it."""

from shared.proving import root_at
from shared.sql import Tx
from shared.transparency.note import Note
from shared.transparency.origin import After, Begun, Origin, grew_from
from shared.transparency.policy import NONE, Policy

HEAD = "SELECT lineage::text FROM work.head"
# One row for every restore there ever was.
LINEAGES = """
SELECT l.lineage::text, l.parent::text, l.from_position,
    EXISTS (SELECT FROM record.checkpoint c WHERE split_part(c.origin, '/', 3) = l.lineage::text) AS signed
FROM record.lineage l
"""

# A restored database still holds the checkpoints of the lineage it grew from, under that one's name.
PRESENT = """
SELECT origin FROM record.checkpoint
WHERE split_part(origin, '/', 3) = (SELECT lineage::text FROM work.head) ORDER BY size DESC LIMIT 1
"""
PAGE = 100
BEFORE = """
SELECT c.size, c.note, coalesce(string_agg(s.line, '' ORDER BY s.at, s.witness), '') AS lines
FROM (SELECT * FROM record.checkpoint WHERE origin = $1 AND size < $2 ORDER BY size DESC LIMIT $3) c
LEFT JOIN record.cosignature s USING (origin, size) GROUP BY c.size, c.note ORDER BY c.size DESC
"""
NEWEST_COSIGNED = "SELECT max(size) FROM record.cosignature WHERE origin = $1"
BEYOND = 2**63 - 1


async def origin_of(tx: Tx, jurisdiction: str, service: str) -> str:
    """The name of the log in its present lineage, which says what it grew from."""
    lineage = await tx.value(HEAD)
    rows = await tx.all(LINEAGES)
    before = grew_from(lineage, {r["lineage"]: Begun(r["parent"], r["from_position"], r["signed"]) for r in rows})
    after = After(*before, await root_at(tx, before[1])) if before is not None else None
    return str(Origin(jurisdiction, service, lineage, after))


async def newest(
    tx: Tx, origin: str | None = None, policy: Policy | None = None, most: int | None = None
) -> Note | None:
    """The newest checkpoint of the log `origin` (None: of the present lineage) with every line that was gathered for it; with
    a policy the newest that meets it, of the last `most`. None when there is none yet. Raises NoteRefused where a line of a key
    of the policy does not fit."""
    origin = origin or await tx.value(PRESENT)
    if origin is None:
        return None
    before = BEYOND
    if policy is not None and policy.quorum != NONE:  # what nobody signed cannot meet it
        before = (await tx.value(NEWEST_COSIGNED, (origin,)) or 0) + 1
    while rows := await tx.all(BEFORE, (origin, before, most or PAGE)):
        for row in rows:
            note = Note.read(f"{row['note']}{row['lines']}".encode())
            if policy is None or policy.missing(note) is None:
                return note
        if most is not None:
            return None
        before = rows[-1]["size"]
    return None
