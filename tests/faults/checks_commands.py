"""Who asked for what: each command's events are there once or not at all, and no event is there that nobody asked for.

Two sorts of wishes exist. People's come by HTTP, and the ledger knows them. The system's come from an event that is reacted to, a
deadline, or an attempt of a delivery; their ids are derived, so that each event can be led back to its one cause.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from uuid import UUID

from shared.delivery_rows import delivery_id_of
from shared.ids import derived
from shared.reaction import Reactions
from tests.faults.ledger import Ledger, Sent
from tests.faults.records import Book, Fact, Records

FEW, MOST = 8, 64
"""Commands that one cause brings as a rule, and at most: the town has fewer people and units than that."""
ATTEMPTS = {
    "notify.message.attempt_started.v1": ("started", "attempt"),
    "notify.message.attempt_succeeded.v1": ("outcome", "attempt"),
    "notify.message.attempt_failed.v1": ("outcome", "attempt"),
    "notify.message.channel_unavailable.v1": ("unavailable", "attempt"),
    "notify.message.dead_lettered.v1": ("given_up", "attempts"),
}
"""Type -> (what a delivery calls it, the field with the number of the attempt)."""


def commands(records: Records, ledger: Ledger) -> Iterator[str]:
    """Acknowledged: exactly its events, unless a restore took them. Refused: none. Unknown: all of them or none."""
    for name, book in records.books.items():
        by_cause: dict[UUID, list[Fact]] = defaultdict(list)
        for fact in book.log:
            by_cause[fact.cause].append(fact)
        for sent in ledger.of(name):
            for what in _kept(sent, by_cause[sent.command], records.lost):
                yield f"commands: {name}: {sent.act} {sent.command} ({sent.outcome}): {what}"
    for what, times in ledger.broken.items():
        yield f"commands: {times} times an answer of status 500: {what}"


def _kept(sent: Sent, here: list[Fact], lost: frozenset[UUID]) -> Iterator[str]:
    ids = {fact.event_id for fact in here}
    if sent.outcome == "refused" and here:
        yield f"{sent.rule}, but {', '.join(map(str, here))} stands"
    if sent.outcome == "acknowledged":
        if gone := [id_ for id_ in sent.events if id_ not in ids and id_ not in lost]:
            yield f"{len(gone)} of {len(sent.events)} events are not in the log: {gone[0]}"
        if more := [fact for fact in here if fact.event_id not in sent.events]:
            yield f"the answer did not name {', '.join(map(str, more))}"
    types = tuple(fact.type.split(".", 1)[1].removesuffix(".v1") for fact in here)
    if here and sent.whole and types not in sent.whole:
        yield f"{types} stands, which is not the whole of it"


def once(records: Records) -> Iterator[str]:
    """What one command recorded in one stream was recorded in one transaction: versions in a row, of one moment."""
    for name, book in records.books.items():
        groups: dict[tuple[UUID, str], list[Fact]] = defaultdict(list)
        for fact in book.log:
            if not _of_the_plan(fact):
                groups[fact.cause, fact.stream].append(fact)
        for (cause, stream), facts in groups.items():
            versions = [fact.version for fact in facts]
            if versions != list(range(versions[0], versions[0] + len(versions))) or (
                len({fact.told["recordedat"] for fact in facts}) > 1
            ):
                yield f"once: {name}: {cause} recorded twice in {stream}: {', '.join(map(str, facts))}"


def causes(records: Records, ledger: Ledger) -> Iterator[str]:
    """Every event leads back to a command of the ledger, a reaction, a deadline or an attempt; the plan's own apart."""
    for name, book in records.books.items():
        known = Known(book)
        for fact in book.log:
            if fact.event_id in records.poisoned or _of_the_plan(fact):
                continue
            by_system = fact.told["actor"] == f"system:{name}"
            if not (known.leads_back(fact) if by_system else fact.cause in ledger.sent):
                yield f"causes: {fact} was recorded for {fact.cause}, which nobody asked for ({fact.told['actor']})"


def _of_the_plan(fact: Fact) -> bool:
    """Adopting a plan is many commands under one id, when a town begins."""
    return str(fact.told["correlationid"]).startswith("plan:")


class Known:
    """What a service's own wishes can have come from."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.reactions: Reactions = book.card.reactions
        self._by_correlation: dict[str, list[Fact]] = defaultdict(list)
        self._known: dict[tuple[str, int], frozenset[UUID]] = {}
        for fact in (*book.inbox, *book.log):
            self._by_correlation[str(fact.told["correlationid"])].append(fact)

    def leads_back(self, fact: Fact) -> bool:
        """A reaction and what it causes share the correlation of the event; a deadline's is its command."""
        if fact.type in ATTEMPTS:
            what, field = ATTEMPTS[fact.type]
            return fact.cause == derived(delivery_id_of(fact.stream, fact.data["channel"]), fact.data[field], what)
        correlation = str(fact.told["correlationid"])
        return any(
            fact.cause in self._wishes(correlation, most) or self._deadline(fact, correlation, most)
            for most in (FEW, MOST)
        )

    def _deadline(self, fact: Fact, correlation: str, most: int) -> bool:
        try:
            return fact.cause in numbered(UUID(correlation), most)
        except ValueError:
            return False

    def _wishes(self, correlation: str, most: int) -> frozenset[UUID]:
        """Ids of the first `most` commands of each reaction to each event of that correlation."""
        if (correlation, most) not in self._known:
            self._known[correlation, most] = frozenset(
                wish
                for event in self._by_correlation[correlation]
                for reaction in self.reactions.to(event.type)
                for lineage in self._lineages(event)
                for wish in numbered(derived(event.source, lineage, event.position, reaction.name), most)
            )
        return self._known[correlation, most]

    def _lineages(self, event: Fact) -> Iterable[UUID]:
        """An own event may have been reacted to before a restore."""
        return self.book.lineages if event.source == self.book.service else (event.lineage,)


def numbered(command: UUID, most: int) -> Iterator[UUID]:
    """Ids of the commands that a reaction or a deadline brings, in order."""
    return (derived(command, nth) for nth in range(most))


def fired(service: str, timer: str, subject: str, at: datetime, causes_here: frozenset[UUID]) -> bool:
    """Whether that deadline left an event."""
    return any(cause in causes_here for cause in numbered(derived(service, timer, subject, at.isoformat()), MOST))
