"""cases, composed: its card, and the adoption of a plan file when the town starts."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from services.cases import adoption, api, bus, campaign_api, pages, site_api, timers
from services.cases.campaign import CAMPAIGN, Campaign
from services.cases.hazard import HAZARD
from services.cases.read_models import (
    appointment,
    campaign_state,
    due,
    hazard_line,
    hazard_page,
    hazard_source,
    hazard_timeline,
    open_hazard,
    register_no,
    site_line,
    source_flag,
)
from services.cases.rule_status import RULE_STATUS
from services.cases.site import SITE
from shared import event_store
from shared.app import App, Cause
from shared.contracts.cases.opening import CasesOpeningMade
from shared.contracts.envelope import read
from shared.contracts.intake.words import WordsErased
from shared.decider import Actor
from shared.evidence import ORDERING, Evidence
from shared.identity import posts
from shared.ids import derived
from shared.opening import OPENING_RULES, opening_of, openings_of
from shared.plan import in_force
from shared.plan.calendar import town_day
from shared.plan.loader import LoadedPlan
from shared.plan.terms import PlanTerms, Terms
from shared.read_model import reading
from shared.rebuilding import rebuilt_after
from shared.service import ServiceCard
from shared.sql import Tx

INLINE = (
    campaign_state,
    posts,
    in_force,
    register_no,
    site_line,
    open_hazard,
    hazard_line,
    hazard_page,
    hazard_source,
    hazard_timeline,
    due,
)
"""Each row belongs to one stream, and commands or their answers need it at once."""

EVIDENCE = Evidence(
    posts={**dict.fromkeys(("hazard", "site", "campaign"), ORDERING), "opening": ("auditor",)},
    rests_on=hazard_source.refs,
)


def describe() -> ServiceCard:
    """What cases is made of."""
    return ServiceCard(
        name="cases",
        title="隐患整治 · Cases",
        deciders=(CAMPAIGN, SITE, HAZARD, opening_of(CasesOpeningMade)),
        inline=(*(module.READ_MODEL for module in INLINE), openings_of(CasesOpeningMade)),
        projections={"sources": (source_flag.READ_MODEL, rebuilt_after(WordsErased))},
        reactions=bus.REACTIONS,
        timers=timers.TIMERS,
        routers=(api.router, site_api.router, campaign_api.router, pages.router),
        templates=Path(__file__).parent / "templates",
        rule_status={**RULE_STATUS, **OPENING_RULES},
        evidence=EVIDENCE,
    )


async def adopt(app: App, loaded: LoadedPlan) -> None:
    """Puts the plan in force and its people into their posts, all of it or nothing; again, it changes nothing.

    It is decided by the plan that is being adopted, not by the one before. The command's id names the file and how far the
    campaigns had come, so that a restart finds its own answer, and a file that comes back after another is adopted again.
    Raises PlanVersionReused, PhasesDoNotTile.
    """
    async with reading(app.pool, app.inline) as tx:
        codes = {loaded.plan.code, *await campaign_state.plans(tx)}
        found = {code: await _campaign(tx, code) for code in sorted(codes)}
        told = await appointment.texts(tx)
    reached = [f"{code}:{version}" for code, (_, version) in found.items()]
    cause = Cause(
        command_id=derived("cases", "adopt", loaded.sha256, *reached),
        actor=Actor(person="system:cases"),
        correlation_id=f"plan:{loaded.sha256}",
    )
    campaigns = {code: campaign for code, (campaign, _) in found.items()}
    plan = PlanTerms(loaded.plan, loaded.version)

    async def terms(_: Tx, actor: Actor, now: datetime) -> tuple[Terms, str]:
        return Terms(now=now, actor=actor, plan=plan), plan.version

    adopting = replace(app, terms=terms)
    await adopting.handle_all(adoption.commands_of(loaded, campaigns, told, town_day(app.clock.now())), cause)


async def _campaign(tx: Tx, plan: str) -> tuple[Campaign, int]:
    """What the campaign's stream says, and its version."""
    history = await event_store.load(tx, f"campaign-{plan}")
    state = CAMPAIGN.initial()
    for stored in history:
        state = CAMPAIGN.evolve(state, read(stored.body).event)
    return state, len(history)
