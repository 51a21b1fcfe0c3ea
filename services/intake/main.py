"""intake, composed: its card."""

from pathlib import Path

from services.intake import (
    api,
    bus,
    disclosure_pages,
    informant_api,
    informant_pages,
    pages,
    patrol_api,
    patrol_desk,
    patrol_pages,
    public_api,
    sign_in_pages,
    timers,
    wording,
    wording_api,
    wording_pages,
)
from services.intake.disclosure import DISCLOSURE
from services.intake.patrol import PATROL
from services.intake.read_models import (
    disclosure_line,
    patrol_finding,
    patrol_line,
    receipt_lookup,
    steps,
    tip_handling,
    tip_line,
    words_line,
)
from services.intake.rule_status import RULE_STATUS
from services.intake.tip import TIP
from services.intake.wording import WORDING
from shared.contracts.intake.informant import InformantErased
from shared.contracts.intake.opening import IntakeOpeningMade
from shared.contracts.intake.words import WordsErased
from shared.evidence import ORDERING, Evidence
from shared.identity import posts
from shared.opening import OPENING_RULES, opening_of, openings_of
from shared.plan import in_force
from shared.rebuilding import rebuilt_after
from shared.service import ServiceCard

INLINE = (receipt_lookup, tip_line, patrol_line, patrol_finding, disclosure_line, words_line, steps)
"""Each row belongs to one stream, and whoever has just sent something looks for it at once."""

EVIDENCE = Evidence(
    posts={
        **dict.fromkeys(("tip", "patrol"), ORDERING),
        **dict.fromkeys(("disclosure", "words", "opening"), ("auditor",)),
    }
)


def describe() -> ServiceCard:
    """What intake is made of."""
    return ServiceCard(
        name="intake",
        title="举报与巡查 · Intake",
        deciders=(TIP, PATROL, DISCLOSURE, WORDING, opening_of(IntakeOpeningMade)),
        inline=(
            *(module.READ_MODEL for module in INLINE),
            openings_of(IntakeOpeningMade, InformantErased),
            rebuilt_after(WordsErased, needed=wording.of_the_record),
        ),
        projections={
            "handling": (tip_handling.READ_MODEL,),
            "plan": (in_force.READ_MODEL, posts.READ_MODEL),
        },
        reactions=bus.REACTIONS,
        timers=timers.TIMERS,
        custodians=timers.custodians,
        routers=(
            public_api.router,
            api.router,
            patrol_api.router,
            patrol_pages.router,
            informant_api.router,
            wording_api.router,
            disclosure_pages.router,
            informant_pages.router,
            wording_pages.router,
            pages.router,
            sign_in_pages.router,
        ),
        templates=Path(__file__).parent / "templates",
        rule_status={**RULE_STATUS, **OPENING_RULES},
        evidence=EVIDENCE,
        closed=patrol_desk.closed,
    )
