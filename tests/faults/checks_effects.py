"""Effects one by one: every find is one hazard, everybody who must know was told once, every letter went out."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from shared.contracts.cases import hazard
from shared.contracts.intake.patrol import PatrolRecorded
from shared.contracts.intake.tip import TipMarkedLive, TipReceived, TipVerified
from shared.contracts.notify import message
from shared.contracts.reporting import weekly_report as report
from shared.deliveries import BACK_OFF
from shared.delivery_rows import UNAVAILABLE, delivery_id_of
from shared.ids import derived
from shared.plan.loader import LoadedPlan
from tests.faults.mail import Mailbox
from tests.faults.records import Book, Fact, Records

FOR_GOOD = ("smtp_550", "no_address")
"""last_error of a delivery that must not be tried again."""
LATE = timedelta(seconds=10)
"""What has been due for longer ought to be in somebody's hands."""


def hazards(records: Records) -> Iterator[str]:
    """Each substantiated tip and each finding of a patrol is one hazard or joined one, once; no hazard has another source."""
    cases, intake = records.books["cases"], records.books["intake"]
    here = Counter(
        (fact.data["source"]["kind"], fact.data["source"]["ref"], fact.data["source"].get("finding"))
        for fact in cases.of(hazard.HazardListed, hazard.HazardFindingAttached)
    )
    wanted = {find for fact in intake.log if fact.event_id not in records.poisoned for find in _finds(fact)}
    heard = {find for fact in cases.inbox if fact.event_id not in records.poisoned for find in _finds(fact)}
    forgotten = Counter(find for fact in cases.inbox if fact.forgotten for find in _finds(fact))
    for find in sorted(wanted - here.keys(), key=str):
        yield f"hazards: {find} is no hazard"
    for find, times in here.items():
        # Found anew after intake forgot it: another event, and after a close-out another hazard.
        if times > 1 + forgotten[find]:
            yield f"hazards: {find} is {times} hazards"
        if find not in heard:
            yield f"hazards: {find} was never found, and is a hazard"


def _finds(fact: Fact) -> Iterator[tuple[str, str, int | None]]:
    if fact.type == TipVerified.type and fact.data["result"] == "substantiated":
        yield "tip", fact.stream, None
    if fact.type == PatrolRecorded.type:
        for finding in fact.data["findings"]:
            yield "patrol", fact.stream, finding["no"]


def messages(records: Records, plan: LoadedPlan) -> Iterator[str]:
    """Whoever must be told of something was told, once: a message's id is made of its cause, its kind and its recipient.

    What the chain of the overdue adds hangs on deadlines; checks_work.py looks at those.
    """
    here = Counter(fact.stream for fact in records.books["notify"].of(message.MessageIssued))
    for stream, times in here.items():
        if times > 1:
            yield f"messages: {stream} was issued {times} times"
    for service in ("intake", "cases", "reporting"):
        responsible: dict[str, str] = {}
        for fact in records.books[service].log:
            if fact.event_id in records.poisoned:
                continue
            if fact.type == hazard.HazardThreeFixOrdered.type:
                responsible[fact.stream] = fact.data["responsible"]
            for cause, kind, person in _must_know(fact, responsible.get(fact.stream, ""), plan):
                if f"message-{derived(cause, kind, person)}" not in here:
                    yield f"messages: {person} was not told of {fact} ({kind})"
    units = {fact.data["unit"] for fact in records.books["reporting"].of(report.ReportOpened)}
    for unit in {*plan.plan.reports.units} - units:
        yield f"messages: no report of {unit} was ever opened"


TO_RESPONSIBLE = {
    hazard.HazardThreeFixOrdered.type: "assignment",
    hazard.HazardBecameOverdue.type: "overdue",
    hazard.HazardExtended.type: "extension_granted",
    hazard.HazardExtensionRefused.type: "extension_refused",
    hazard.HazardRejected.type: "rejected",
}
TO_REPORTERS = {
    report.ReportOpened.type: "report_opened",
    report.ReportDue.type: "report_due",
    report.ReportReturned.type: "report_returned",
    report.ReportMissed.type: "report_missed",
}


def _must_know(fact: Fact, responsible: str, plan: LoadedPlan) -> Iterator[tuple[object, str, str]]:
    """(cause, kind, person). `responsible`: for the hazard whose event it is."""
    data = fact.data
    if _live(fact):
        yield from ((fact.stream, "live_call_out", person) for person in _holders(plan, "duty_officer"))
    if fact.type == hazard.HazardLeaderAssigned.type:
        yield fact.event_id, "in_charge", data["leader"]
    if kind := TO_RESPONSIBLE.get(fact.type):
        yield fact.event_id, kind, responsible
    if (kind := TO_REPORTERS.get(fact.type)) and data.get("scope", "unit") == "unit":
        people = _holders(plan, "designated_reporter", data["unit"])
        people |= _holders(plan, "office_director") if kind == "report_missed" else set()
        yield from ((fact.event_id, kind, person) for person in people)
    if fact.type == hazard.HazardCompleted.type:
        hands = {data["completed_by"], responsible, fact.told["actor"]}
        yield from ((fact.event_id, "acceptance_wanted", person) for person in _holders(plan, "inspector") - hands)
    if fact.type == hazard.HazardExtensionRequested.type:
        people = _holders(plan, "office_director") | _holders(plan, "deputy_leader")
        yield from ((fact.event_id, "extension_requested", person) for person in people - {data["requested_by"]})


def _live(fact: Fact) -> bool:
    found = fact.type == PatrolRecorded.type and any(finding["live"] for finding in fact.data["findings"])
    return found or fact.type == TipMarkedLive.type or (fact.type == TipReceived.type and fact.data["live"])


def _holders(plan: LoadedPlan, post: str, unit: str | None = None) -> set[str]:
    return {p.person for p in plan.plan.people if p.post == post and unit in (None, p.unit)}


def deliveries(records: Records) -> Iterator[str]:
    """One row for each way out of a message; it is done, dead or open with a reason, and the message's stream says the same."""
    book = records.books["notify"]
    rows = {row["delivery_id"]: row for row in book.deliveries}
    asked = {
        delivery_id_of(fact.stream, channel): f"{channel} of {fact.stream}"
        for fact in book.of(message.MessageIssued)
        for channel in fact.data["channels"]
        if channel != "in_app"
    }
    for id_ in asked.keys() ^ rows.keys():
        yield f"deliveries: {asked.get(id_, id_)} {'has no row' if id_ in asked else 'was never asked for'}"
    said = _said(book)
    for id_ in asked.keys() & rows.keys():
        for what in _settled(rows[id_], said[id_]):
            yield f"deliveries: {asked[id_]}: {what}"


def _said(book: Book) -> dict[UUID, dict[str, list[int]]]:
    """delivery -> short type -> the attempts, as the streams of messages tell."""
    said: dict[UUID, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    tried = (message.AttemptStarted, message.AttemptSucceeded, message.AttemptFailed)
    for fact in book.of(*tried, message.ChannelUnavailable, message.DeadLettered):
        attempt = fact.data.get("attempt", fact.data.get("attempts"))
        said[delivery_id_of(fact.stream, fact.data["channel"])][fact.type.split(".")[2]].append(attempt)
    return said


def _settled(row: Any, said: dict[str, list[int]]) -> Iterator[str]:
    started, succeeded = said["attempt_started"], said["attempt_succeeded"]
    refused = row["state"] == "done" and row["last_error"] is not None  # the message was withdrawn, or had no channel
    if started != list(range(1, row["attempts"] + (not refused))):
        yield f"{row['attempts']} attempts, started were {started}"
    if len(succeeded) != (row["state"] == "done" and not refused):
        yield f"it is {row['state']}, and succeeded {len(succeeded)} times"
    if row["last_error"] == UNAVAILABLE and row["attempts"] not in said["channel_unavailable"]:
        yield "it had no channel to go by, and nobody said so"
    if said["dead_lettered"] != ([row["attempts"]] if row["state"] == "dead" else []):
        yield f"it is {row['state']} after {row['attempts']} attempts, and was said to be dead after {said['dead_lettered']}"
    for_good, enough = row["last_error"] in FOR_GOOD, row["attempts"] > len(BACK_OFF)
    if (row["state"] == "open" and for_good) or (row["state"] == "dead" and not (for_good or enough)):
        yield f"it is {row['state']} after {row['attempts']} attempts, and failed last with {row['last_error']}"
    if row["state"] == "open":
        free_at = max(filter(None, (row["next_at"], row["lease_until"])))
        if free_at < row["now"] - LATE:
            yield f"it is open since {free_at:%H:%M:%S}, and nobody sends it ({row['last_error']})"


def mail(records: Records, mailbox: Mailbox) -> Iterator[str]:
    """Every letter taken is a delivery's, and taken for one of its attempts; every one that succeeded was taken at least once."""
    book = records.books["notify"]
    rows = {str(row["delivery_id"]): row for row in book.deliveries if row["channel"] == "email"}
    taken = Counter(letter.message_id.partition("@")[0] for letter in mailbox.taken)
    # A restore takes messages away whose letters are out; which they were nobody can tell any more.
    restored = [restore for restore in records.restores if restore.service == "notify"]
    excused = sum(len(restore.lost) for restore in restored)
    strangers = [id_ for id_ in taken if id_ not in rows]
    if len(strangers) > excused:
        yield f"mail: {len(strangers)} letters of no delivery were taken, {excused} may be: {strangers[:3]}"
    for id_, times in taken.items():
        if id_ in rows and times > rows[id_]["attempts"] and not restored:
            yield f"mail: {id_} was taken {times} times, after {rows[id_]['attempts']} attempts"
    refused = {str(id_) for id_ in mailbox.refused_for_good()}
    for id_, row in rows.items():
        if row["last_error"] == "smtp_550" and id_ not in refused:
            yield f"mail: {id_} was refused for good, says its row, and never was"
        if row["state"] == "done" and row["last_error"] is None and id_ not in taken:
            yield f"mail: {id_} is done, and no letter was taken"
