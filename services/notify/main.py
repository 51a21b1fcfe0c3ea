"""notify, composed: its card, and the ways to the outside. The only file here that constructs I/O."""

import json
from collections.abc import Sequence
from pathlib import Path

import httpx

from services.notify import api, bus, message_commands, pages, timers
from services.notify.message import MESSAGE
from services.notify.read_models import (
    attempt,
    hazard_watch,
    message_line,
    message_work,
    outcome_count,
    report_watch,
)
from services.notify.senders import Hook, Mail, MailServer, OutsideMisconfigured, Webhook
from services.notify.writing import Desk, failed, given_up, started, succeeded, unavailable
from shared.contracts.intake.words import WordsErased
from shared.contracts.notify.opening import NotifyOpeningMade
from shared.errors import Refusal
from shared.evidence import Evidence
from shared.identity import posts
from shared.opening import OPENING_RULES, opening_of, openings_of
from shared.outside import Outside, Sender
from shared.plan import in_force
from shared.plan.book import PlanBook
from shared.rebuilding import rebuilt_after
from shared.service import ServiceCard
from shared.settings import Settings
from shared.ways_out import lacking

STATUS: dict[type[Refusal], int] = {
    message_commands.AcknowledgedByStranger: 403,
    message_commands.FieldNotCorrectable: 422,
    message_commands.CorrectionDoesNotFit: 422,
    message_commands.CorrectionNeedsReason: 422,
}
"""Every other refusal speaks of the message as it stands: 409."""

EVIDENCE = Evidence(
    posts={"message": ("auditor", "office_director", "group_leader"), "opening": ("auditor",)}, about=message_line.about
)


def describe() -> ServiceCard:
    """What notify is made of."""
    return ServiceCard(
        name="notify",
        title="通知催办 · Notify",
        deciders=(MESSAGE, opening_of(NotifyOpeningMade)),
        inline=(
            message_line.READ_MODEL,
            attempt.READ_MODEL,
            message_work.READ_MODEL,
            openings_of(NotifyOpeningMade),
        ),
        projections={
            "watch": (hazard_watch.READ_MODEL, report_watch.READ_MODEL, rebuilt_after(WordsErased)),
            "plan": (in_force.READ_MODEL, posts.READ_MODEL),
            "outcomes": (outcome_count.READ_MODEL,),
        },
        reactions=bus.REACTIONS,
        timers=timers.TIMERS,
        routers=(api.router, pages.router),
        templates=Path(__file__).parent / "templates",
        rule_status={**{rule.__name__: status for rule, status in STATUS.items()}, **OPENING_RULES},
        outside=outside,
        evidence=EVIDENCE,
    )


def outside(settings: Settings, book: PlanBook) -> Outside:
    """Mail and webhooks as the settings name them. Raises OutsideMisconfigured."""
    client = httpx.AsyncClient(trust_env=False)
    senders: dict[str, Sender] = {"webhook": Webhook(hooks_in(settings.webhooks), client)}
    if settings.mail:
        senders["email"] = Mail(MailServer.at(settings.mail))
    return Outside(
        started=started,
        unavailable=unavailable,
        succeeded=succeeded,
        failed=failed,
        given_up=given_up,
        write=Desk(book.in_force).write,
        senders=senders,
        lacking=lacking(settings),
        close=client.aclose,
    )


def hooks_in(path: Path | None) -> Sequence[Hook]:
    """From `{"hooks": [{"name", "url", "secret", "posts"?}]}`, in the file's order. Raises OutsideMisconfigured."""
    if path is None:
        return ()
    try:
        listed = json.loads(path.read_text("utf-8"))["hooks"]
        return tuple(
            Hook(str(one["name"]), str(one["url"]), str(one["secret"]), frozenset(one.get("posts", ())))
            for one in listed
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise OutsideMisconfigured(
            f'{path.name}: {{"hooks": [{{"name", "url", "secret", "posts"}}]}} is wanted ({type(error).__name__})'
        ) from error
