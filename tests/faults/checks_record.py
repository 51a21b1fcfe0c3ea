"""Facts and their copies: the log without a gap, the stream that mirrors it, the inboxes of those who read it, and every mark.

Each function gives what is wrong, a line each, begun with the name of the check; nothing when all is equal.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator

from shared.contracts.envelope import leaf_of
from shared.receiver import digest_after
from shared.stream import LEAF, LINEAGE, POSITION, subject_of
from shared.transparency import tree
from tests.faults.records import Book, DrillTown, Fact, Mirror, Records


def log(records: Records) -> Iterator[str]:
    """Events are the positions 1 to n and nothing waits; every stream is one chain; the tree's root is that of the leaves."""
    for book in records.books.values():
        for what in (*_numbered(book), *_chained(book), *_rooted(book)):
            yield f"log: {book.service}: {what}"


def _numbered(book: Book) -> Iterator[str]:
    positions = [row["position"] for row in book.rows]
    if positions != list(range(1, len(positions) + 1)):
        absent = sorted(set(range(1, max(positions) + 1)) - set(positions))
        yield f"positions are not 1 to {len(positions)}: {absent[:5]} are not there"
    if twice := [id_ for id_, times in Counter(row["event_id"] for row in book.rows).items() if times > 1]:
        yield f"events that have two positions: {twice[:5]}"
    for row in book.unnumbered:
        more = ("" if row["pending"] else " and waits for none") + (", later ones have" if row["passed"] else "")
        yield f"event {row['event_id']} ({row['type']}) has no position{more}"
    if book.pending:
        yield f"{book.pending} rows wait for a number"
    if book.head["position"] != len(positions):
        yield f"the head is {book.head['position']}, the log has {len(positions)}"
    times = [row["sequenced_at"] for row in book.rows]
    if times != sorted(times):
        yield "sequenced_at goes back"


def _chained(book: Book) -> Iterator[str]:
    """In the order of positions each stream has the versions 1, 2, 3 …, and each names the leaf of the one before."""
    last: dict[str, tuple[int, str | None]] = defaultdict(lambda: (0, None))
    for row, fact in zip(book.rows, book.log, strict=True):
        leaf = leaf_of(row["body"])
        if not leaf == row["leaf"] == row["log_leaf"]:
            yield f"{fact}: its leaf is not that of its bytes"
        if (row["event_id"], row["stream_id"], row["version"], row["type"]) != (
            fact.event_id, fact.stream, fact.version, fact.type,
        ):  # fmt: skip
            yield f"{fact}: its row says something else than its bytes"
        version, before = last[fact.stream]
        if fact.version != version + 1:
            yield f"{fact}: version {fact.version} after {version}"
        elif fact.told.get("prev") != before:
            yield f"{fact}: prev is not the leaf of version {version}"
        last[fact.stream] = (fact.version, leaf.hex())


def _rooted(book: Book) -> Iterator[str]:
    _, frontier = tree.extend(0, [], (leaf_of(row["body"]) for row in book.rows))
    if not book.rows:
        return
    said = (book.head["leaf"], book.head["frontier"], book.head["root"])
    if said != (leaf_of(book.rows[-1]["body"]), tree.pack(frontier), tree.root(frontier)):
        yield "the tree's root is not that of the leaves"


def stream(records: Records, town: DrillTown) -> Iterator[str]:
    """What stands in the stream is the log, and it ends where the log ends."""
    for name, book in records.books.items():
        mirror = records.mirrors.get(name)
        if mirror is None:
            yield f"stream: {name}: there is none"
            continue
        for what in _mirrored(book, mirror, records.jurisdiction, town.stream_keep(name), town.holes(name)):
            yield f"stream: {name}: {what}"


def _mirrored(book: Book, mirror: Mirror, jurisdiction: str, keep: int | None, holes: set[int]) -> Iterator[str]:
    """It begins where a stream made long ago begins by now: a newer one holds more, and so does one that has holes."""
    head = len(book.log)
    first = max(1, head - keep + 1) if keep else 1
    if mirror.last != head:
        yield f"ends at {mirror.last}, the log at {head}"
    if mirror.made_from > first:
        yield f"was made from {mirror.made_from} on, and holds what is from {first} on"
    if absent := set(range(first, min(head, mirror.last) + 1)) - set(mirror.messages) - holes:
        yield f"{len(absent)} positions are missing, the first {min(absent)}"
    for sequence, (subject, headers, body) in sorted(mirror.messages.items()):
        if sequence > head:
            yield f"{sequence} stands there, the log ends at {head}"
            continue
        fact = book.log[sequence - 1]
        if body != fact.body:
            yield f"{sequence} is another event than {fact}"
        elif (subject, headers.get(LINEAGE), headers.get(POSITION), headers.get(LEAF)) != (
            subject_of(jurisdiction, fact.type), str(fact.lineage), str(sequence), leaf_of(body).hex(),
        ):  # fmt: skip
            yield f"{sequence}: other headers than {fact}"


def inboxes(records: Records) -> Iterator[str]:
    """Every inbox holds what its source published and it wants, no more and no less; mark and checksum are the source's own."""
    for reader, book in records.books.items():
        for source, wanted in book.card.consumes().items():
            if source in records.books:
                for what in _received(book, records.books[source], wanted):
                    yield f"inbox: {reader} from {source}: {what}"


def _received(book: Book, source: Book, wanted: frozenset[str]) -> Iterator[str]:
    mark = next((m for m in book.marks if (m["follower"], m["source"]) == ("receiver", source.service)), None)
    if mark is None:
        yield "nothing was ever received"
        return
    if (mark["lineage"], mark["position"]) != (source.head["lineage"], source.head["position"]):
        end = source.head
        yield f"the mark is {mark['position']} of {mark['lineage']}, the head {end['position']} of {end['lineage']}"
    published = {fact.position: fact for fact in source.log if fact.position <= mark["position"]}
    here: dict[int, Fact] = {}
    for fact in book.inbox:
        if fact.source == source.service and not fact.forgotten:
            if fact.position in here:
                yield f"{fact.position} stands there twice"
            here[fact.position] = fact
    for fact in published.values():
        if fact.type in wanted and fact.position not in here:
            yield f"{fact} is missing"
    for position, fact in here.items():
        if position not in published:
            yield f"{position} was never published"
        elif fact.body != published[position].body or fact.type not in wanted:
            yield f"{position} is another event than {published[position]}"
    digest = hashlib.sha256(b"").digest()
    for fact in published.values():
        digest = digest_after(digest, str(fact.told["id"]))
    if published and (mark["digest"], mark["leaf"]) != (digest, leaf_of(published[max(published)].body)):
        yield "checksum or leaf at the mark are not the source's"


def marks(records: Records) -> Iterator[str]:
    """Everybody has walked to the end of their sources; applied + parked + queued = mark; nothing is parked but the poison."""
    for name, book in records.books.items():
        for what in (*_walked(book, records), *_parked(book, records)):
            yield f"marks: {name}: {what}"


def _walked(book: Book, records: Records) -> Iterator[str]:
    waiting: dict[str, set[tuple[object, int]]] = defaultdict(set)
    for row in book.parked:
        if row["state"] != "done":
            waiting[row["source"]].add((row["lineage"], row["position"]))
    found = {(mark["follower"], mark["source"]): mark for mark in book.marks}
    for follower, source in followers(book):
        end = _end(book, source, records)
        mark = found.get((follower, source))
        at = mark["position"] if mark is not None else 0
        stop = _stopped_by_poison(book, follower, source, records)
        if at != end and (stop is None or at >= stop):
            yield f"{follower} of {source} is at {at} of {end}"
        if mark is not None and mark["applied"] + _waiting(follower, waiting[source]) != at:
            yield f"{follower} of {source}: {mark['applied']} applied and {_waiting(follower, waiting[source])} wait, of {at}"


def followers(book: Book) -> Iterator[tuple[str, str]]:
    """(follower, source) of everybody who walks in this service."""
    card = book.card
    for source in (card.name, *card.consumes()):
        if source != card.name:
            yield "receiver", source
        for group, models in card.projections.items():
            if any(event.type.startswith(f"{source}.") for model in models for event in model.events):
                yield f"projection:{group}", source
        if any(type_.startswith(f"{source}.") for type_ in card.reactions.types()):
            yield "reactions", source


def _waiting(follower: str, places: set[tuple[object, int]]) -> int:
    return len(places) if follower == "reactions" else 0


def _end(book: Book, source: str, records: Records) -> int:
    """Where the source ends as this service sees it: its own head, or what it has received."""
    if source == book.service:
        return int(book.head["position"])
    if source in records.books:
        return int(records.books[source].head["position"])
    mark = next((m for m in book.marks if (m["follower"], m["source"]) == ("receiver", source)), None)
    return int(mark["position"]) if mark is not None else 0


def _stopped_by_poison(book: Book, follower: str, source: str, records: Records) -> int | None:
    """The position of the first poison that a projection group may have stopped at."""
    if not follower.startswith("projection:") or source not in records.books:
        return None
    models = book.card.projections[follower.removeprefix("projection:")]
    types = {event.type for model in models for event in model.events}
    bad = [f.position for f in records.books[source].log if f.event_id in records.poisoned and f.type in types]
    return min(bad, default=None)


def _parked(book: Book, records: Records) -> Iterator[str]:
    wanted: set[tuple[str, str, str]] = set()
    for one in records.poison:
        source = records.books.get(one.service)
        stands = source is not None and any(fact.event_id == one.event_id for fact in source.log)
        if stands and (one.service == book.service or one.service in book.card.consumes()):
            wanted |= {(r.name, one.service, one.stream_id) for r in book.card.reactions.to(one.type)}
    here = {(row["reaction"], row["source"], row["subject"]): row for row in book.parked if row["state"] != "done"}
    for reaction, publisher, subject in sorted(wanted - here.keys()):
        yield f"the poison {subject} of {publisher} is not parked for {reaction}"
    for key in sorted(here.keys() - wanted):
        row = here[key]
        yield f"{row['reaction']} of {row['source']} {row['position']} ({row['subject']}) is {row['state']}: {row['reason']}"
