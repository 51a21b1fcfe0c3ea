"""intake, composed: its card."""

from pathlib import Path

from services.intake import api, bus, pages, patrol_api, public_api, sign_in_pages, timers
from services.intake.patrol import PATROL
from services.intake.read_models import patrol_finding, patrol_line, receipt_lookup, steps, tip_handling, tip_line
from services.intake.rule_status import RULE_STATUS
from services.intake.tip import TIP
from shared.identity import posts
from shared.plan import in_force
from shared.service import ServiceCard

INLINE = (receipt_lookup, tip_line, patrol_line, patrol_finding, steps)
"""Each row belongs to one stream, and whoever has just sent something looks for it at once."""


def describe() -> ServiceCard:
    """What intake is made of."""
    return ServiceCard(
        name="intake",
        title="举报与巡查 · Intake",
        deciders=(TIP, PATROL),
        inline=tuple(module.READ_MODEL for module in INLINE),
        projections={
            "handling": (tip_handling.READ_MODEL,),
            "plan": (in_force.READ_MODEL, posts.READ_MODEL),
        },
        reactions=bus.REACTIONS,
        timers=timers.TIMERS,
        routers=(public_api.router, api.router, patrol_api.router, pages.router, sign_in_pages.router),
        templates=Path(__file__).parent / "templates",
        rule_status=RULE_STATUS,
    )
