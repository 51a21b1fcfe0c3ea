"""What a weekly report has been through: its state, and how each fact changes it. What may happen next is in weekly_report.py."""

from dataclasses import dataclass, replace
from datetime import datetime

from shared.contracts.event import Event
from shared.contracts.parts import CutAt, Figure
from shared.contracts.reporting import weekly_report as facts
from shared.errors import StreamNotFound


@dataclass(frozen=True)
class Standing:
    """What the report says at the moment: submitted, compiled, or restated last."""

    figures: tuple[Figure, ...]
    cut: tuple[CutAt, ...]
    sha256: str


@dataclass(frozen=True)
class Report:
    """stage: "" (not there) | open | submitted | returned | accepted | compiled | filed | entered_in_error.

    `due`, `missed`: the clock has said so. `lines`: the units, as compiled.
    """

    stage: str = ""
    opened: facts.ReportOpened | None = None
    due_at: datetime | None = None
    missing_at: datetime | None = None
    due: bool = False
    missed: bool = False
    standing: Standing | None = None
    lines: tuple[facts.UnitLine, ...] = ()
    restatements: int = 0

    @property
    def known(self) -> facts.ReportOpened:
        """How it was opened. Raises StreamNotFound."""
        if self.opened is None:
            raise StreamNotFound
        return self.opened

    @property
    def wanted(self) -> bool:
        """Nothing stands that the unit has sent."""
        return self.stage in ("open", "returned")


def evolve(state: Report, event: Event) -> Report:
    match event:
        case facts.ReportOpened() as e:
            return replace(state, stage="open", opened=e, due_at=e.due_at, missing_at=e.missing_at)
        case facts.ReportDue():
            return replace(state, due=True)
        case facts.ReportMissed():
            return replace(state, missed=True)
        case facts.ReportSubmitted(figures=figures, cut=cut, content_sha256=sha256):
            return replace(state, stage="submitted", standing=Standing(figures, cut, sha256))
        case facts.ReportReturned():
            return replace(state, stage="returned", standing=None)
        case facts.ReportAccepted():
            return replace(state, stage="accepted")
        case facts.ReportCompiled(lines=lines, figures=figures, cut=cut, content_sha256=sha256):
            return replace(state, stage="compiled", lines=lines, standing=Standing(figures, cut, sha256))
        case facts.ReportFiled():
            return replace(state, stage="filed")
        case facts.ReportRestated(figures=figures, cut=cut, content_sha256=sha256, restatement_no=number):
            return replace(state, standing=Standing(figures, cut, sha256), restatements=number)
        case facts.ReportCorrected(field="due_at", value=value):
            return replace(state, due_at=value.at)
        case facts.ReportCorrected(field="missing_at", value=value):
            return replace(state, missing_at=value.at)
        case facts.ReportEnteredInError():
            return replace(state, stage="entered_in_error", standing=None)
    return state
