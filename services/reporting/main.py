"""reporting, composed: its card."""

from pathlib import Path

from services.reporting import api, bus, pages, timers
from services.reporting.read_models import adoption, due, fact, report_content, report_line, report_step
from services.reporting.recount import FACTS
from services.reporting.rule_status import RULE_STATUS
from services.reporting.weekly_report import WEEKLY_REPORT
from shared.contracts.intake.words import WordsErased
from shared.contracts.reporting.opening import ReportingOpeningMade
from shared.evidence import ORDERING, Evidence
from shared.identity import posts
from shared.opening import OPENING_RULES, opening_of, openings_of
from shared.plan import in_force
from shared.rebuilding import rebuilt_after
from shared.service import ServiceCard

INLINE = (report_line, report_content, report_step, due)

EVIDENCE = Evidence(posts={"weekly_report": ORDERING, "opening": ("auditor",)})


def describe() -> ServiceCard:
    """What reporting is made of. Facts and plan are groups of their own: the marks of the first are what a cut is made of."""
    return ServiceCard(
        name="reporting",
        title="周报 · Reporting",
        deciders=(WEEKLY_REPORT, opening_of(ReportingOpeningMade)),
        inline=(*(module.READ_MODEL for module in INLINE), openings_of(ReportingOpeningMade)),
        projections={
            FACTS: (fact.READ_MODEL, rebuilt_after(WordsErased)),
            bus.PLAN: tuple(module.READ_MODEL for module in (in_force, adoption, posts)),
        },
        reactions=bus.REACTIONS,
        timers=timers.TIMERS,
        routers=(api.router, pages.router),
        templates=Path(__file__).parent / "templates",
        rule_status={**RULE_STATUS, **OPENING_RULES},
        evidence=EVIDENCE,
    )
