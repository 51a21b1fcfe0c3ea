"""Small random histories of both sources, and a plain recount of them that knows nothing of read models."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from hypothesis import strategies as st

from shared.contracts.cases import hazard, site
from shared.contracts.envelope import Recorded
from shared.contracts.event import Event
from shared.contracts.intake import patrol, tip
from shared.contracts.parts import Value
from tests.support.plans import plan

PLAN = plan()
FIRST, SECOND = PLAN.period(1), PLAN.period(2)
VILLAGES = ("140181101207", "140181101208", "unknown")
UNITS = ("dulan", "shantou", "police_station")
LINEAGE = "8a0c6f6e-6a3b-4c2a-9a3e-1f2d3c4b5a69"
NAMESPACE = UUID("6f1d7a0e-6c1d-5a60-9a52-4d0c2f1f3b99")
HOUR = timedelta(hours=1)

hours = st.integers(0, 250)
"""Since the campaign began: periods 1 and 2, and a little beyond."""
late_by = st.sampled_from([0, 1, 30, 200])
which = st.integers(0, 1)
villages, units = st.sampled_from(VILLAGES), st.sampled_from(UNITS)

intake_steps = st.one_of(
    st.tuples(st.just("tip"), which, hours, late_by, st.booleans()),
    st.tuples(st.just("tip_void"), which, hours),
    st.tuples(st.just("patrol"), which, hours, late_by, villages, units, st.integers(0, 3)),
    st.tuples(st.just("patrol_village"), which, hours, villages),
    st.tuples(st.just("patrol_unit"), which, hours, units),
    st.tuples(st.just("patrol_ended"), which, hours, hours),
    st.tuples(st.just("patrol_void"), which, hours),
)
cases_steps = st.one_of(
    st.tuples(st.just("hazard"), which, hours, late_by, villages, st.booleans()),
    st.tuples(st.just("three_fix"), which, hours),
    st.tuples(st.just("completed"), which, hours),
    st.tuples(st.just("closed"), which, hours),
    st.tuples(st.just("hazard_village"), which, hours, villages),
    st.tuples(st.just("hazard_found"), which, hours, hours),
    st.tuples(st.just("hazard_void"), which, hours),
    st.tuples(st.just("site"), which, hours, villages),
)
histories = st.tuples(st.lists(cases_steps, min_size=3, max_size=16), st.lists(intake_steps, min_size=3, max_size=16))


def at(hour: int) -> Any:
    return FIRST.starts_at + hour * HOUR


@dataclass
class Log:
    """One source's log while it is written; a step that its aggregate would refuse is left out."""

    source: str
    events: list[Recorded[Any]] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)
    void: set[str] = field(default_factory=set)

    def add(self, stream: str, event: Event, hour: int, late: int = 0) -> None:
        version = self.known[stream] = self.known.get(stream, 0) + 1
        position = len(self.events) + 1
        self.events.append(
            Recorded(
                event_id=uuid5(NAMESPACE, f"{self.source} {position}"),
                source=self.source,
                stream_id=stream,
                version=version,
                type=event.type,
                occurred_at=at(hour),
                recorded_at=at(hour + late),
                actor="system:cases" if self.source == "cases" else "p-inspector-1",
                in_role="inspector@safety_office",
                on_behalf_of=None,
                causation_id=NAMESPACE,
                correlation_id="c",
                traceparent=None,
                plan_version=PLAN.version,
                event=event,
                body=b"",
                leaf=b"",
                position=position,
                lineage=LINEAGE,
            )
        )

    def live(self, stream: str) -> bool:
        return stream in self.known and stream not in self.void


def logs_of(steps: tuple[list[Any], list[Any]]) -> tuple[list[Recorded[Any]], list[Recorded[Any]]]:
    """(cases, intake)"""
    cases, intake = Log("cases"), Log("intake")
    for step in steps[0]:
        _cases(cases, *step)
    for step in steps[1]:
        _intake(intake, *step)
    return cases.events, intake.events


def _intake(log: Log, kind: str, nth: int, hour: int, *more: Any) -> None:
    stream = f"{kind.partition('_')[0]}-{nth}"
    if kind == "tip":
        late, live = more
        if stream not in log.known:
            told = tip.TipReceived(
                channel="web", anonymous=True, live=live, informant="i-1", words="…", receipt_digest="ab"
            )
            log.add(stream, told, hour, late)
    elif kind == "patrol":
        late, village, unit, findings = more
        if stream not in log.known:
            log.add(stream, a_patrol(village, unit, hour, findings), hour, late)
    elif log.live(stream):
        if kind.endswith("void"):
            log.void.add(stream)
            event = tip.TipEnteredInError if kind == "tip_void" else patrol.PatrolEnteredInError
            log.add(stream, event(reason="…"), hour)
        else:
            field_ = {"patrol_village": "village", "patrol_unit": "unit", "patrol_ended": "ended_at"}[kind]
            value = Value(at=at(more[0])) if field_ == "ended_at" else Value(code=more[0])
            log.add(stream, patrol.PatrolCorrected(field=field_, value=value, reason="…"), hour)


def a_patrol(village: str, unit: str, hour: int, findings: int) -> patrol.PatrolRecorded:
    found = [
        patrol.Finding(no=n, category="closed_mine", violation="digging", live=n == 1, summary="…")
        for n in range(1, findings + 1)
    ]
    return patrol.PatrolRecorded(
        village=village, unit=unit, patrol_class="key", started_at=at(hour), ended_at=at(hour), members=("p-1",),
        route=patrol.Route(sha256="ab", points=2, metres=9), findings=tuple(found), no_finding=not found, handling="none",
    )  # fmt: skip


def _cases(log: Log, kind: str, nth: int, hour: int, *more: Any) -> None:
    stream = f"hazard-{nth}"
    if kind == "site":
        told = site.SiteRegistered(site_no=nth, category="closed_mine", village=more[0], name="…")
        if f"site-{nth}" not in log.known:
            log.add(f"site-{nth}", told, hour)
    elif kind == "hazard":
        late, village, again = more
        if stream not in log.known:
            log.add(stream, a_hazard(nth, village, hour, again), hour + late)
    elif log.live(stream):
        if kind == "hazard_void":
            log.void.add(stream)
        log.add(stream, _hazard_step(kind, more), hour)


def _hazard_step(kind: str, more: tuple[Any, ...]) -> Event:
    match kind:
        case "three_fix":
            return hazard.HazardThreeFixOrdered(
                measure="sealing", responsible="p-1", responsible_unit="safety_office", deadline_at=at(300)
            )
        case "completed":
            return hazard.HazardCompleted(completed_by="p-1", report="…")
        case "closed":
            return hazard.HazardClosedOut()
        case "hazard_village":
            return hazard.HazardCorrected(field="village", value=Value(code=more[0]), reason="…")
        case "hazard_found":
            return hazard.HazardCorrected(field="discovered_at", value=Value(at=at(more[0])), reason="…")
        case _:
            return hazard.HazardEnteredInError(reason="…")


def a_hazard(nth: int, village: str, hour: int, again: bool) -> hazard.HazardListed:
    return hazard.HazardListed(
        hazard_no=nth + 1, category="closed_mine", village=village, violation="digging", live=False,
        source=hazard.Source(kind="tip", ref="tip-1"), recurrence_of="hazard-9" if again else None, summary="…",
        discovered_at=at(hour),
    )  # fmt: skip


# -------------------------------------------------------------------------------------------- the plain recount


def recounted(events: Iterable[Recorded[Any]], unit: str, period: Any) -> dict[str, int]:
    """Figures that are not 0, from the final state of each record: written without looking at the read model."""
    records: dict[str, dict[str, Any]] = {}
    for e in events:
        record = records.setdefault(e.stream_id, {"steps": [], "void": False})
        match e.event:
            case tip.TipReceived(live=live):
                record |= {"kind": "tip", "live": live, "at": e.occurred_at}
            case patrol.PatrolRecorded() as p:
                record |= {
                    "kind": "patrol",
                    "village": p.village,
                    "unit": p.unit,
                    "at": p.ended_at,
                    "n": len(p.findings),
                }
            case hazard.HazardListed() as h:
                again = h.recurrence_of is not None
                record |= {"kind": "hazard", "village": h.village, "at": h.discovered_at, "again": again}
            case patrol.PatrolCorrected(field=field_, value=value) | hazard.HazardCorrected(field=field_, value=value):
                record[{"ended_at": "at", "discovered_at": "at"}.get(field_, field_)] = value.at or value.code
            case tip.TipEnteredInError() | patrol.PatrolEnteredInError() | hazard.HazardEnteredInError():
                record["void"] = True
            case hazard.HazardThreeFixOrdered():
                record["steps"].append(("three_fixes_ordered", e.occurred_at))
            case hazard.HazardCompleted():
                record["steps"].append(("hazards_completed", e.occurred_at))
            case hazard.HazardClosedOut():
                record["steps"].append(("hazards_closed_out", e.occurred_at))
    counts: dict[str, int] = {}

    def count(figure: str, moment: Any, times: int = 1) -> None:
        if period.starts_at <= moment < period.cut_off_at and times:
            counts[figure] = counts.get(figure, 0) + times

    for record in records.values():
        if record["void"] or "kind" not in record or not _belongs(record, unit):
            continue
        match record["kind"]:
            case "tip":
                count("tips_received", record["at"])
                count("tips_live", record["at"], int(record["live"]))
            case "patrol":
                count("patrols", record["at"])
                count("patrols_without_finding", record["at"], int(record["n"] == 0))
                count("patrol_findings", record["at"], record["n"])
                count("live_findings", record["at"], int(record["n"] > 0))
            case "hazard":
                count("hazards_listed", record["at"])
                count("hazards_recurred", record["at"], int(record["again"]))
                for figure, moment in record["steps"]:
                    count(figure, moment)
    return counts


def _belongs(record: dict[str, Any], unit: str) -> bool:
    if unit == "town":
        return True
    if record["kind"] == "tip":
        return False
    return bool(record.get("unit", PLAN.unit_of_village(record["village"])) == unit)
