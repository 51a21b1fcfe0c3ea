"""Opening an informant's identity for the custodian: the same way for the API and the page.

What is opened lives in the answer alone: no table, no log, no cache holds it, nor the keys. Every try is an event, written
before anything is shown; one that is refused or fails shows nothing.
"""

from dataclasses import dataclass, field, replace

import asyncpg

from services.intake.disclosure import CUSTODIAN, OpenDisclosure, Trouble
from services.intake.read_models import disclosure_line, tip_line
from services.intake.words import informant_of
from shared import event_store
from shared.app import LOST, TRIES, Answer
from shared.contracts.envelope import read
from shared.contracts.event import text_of
from shared.contracts.intake.disclosure import DisclosureOpened, DisclosureOpeningFailed, DisclosureOpeningRefused
from shared.contracts.intake.tip import TipReceived
from shared.errors import NotPermitted, Refusal, VersionConflict
from shared.identity.sealing import open_many
from shared.identity.wrapping import WrongMasterKey
from shared.web.door import Call, Door


class OpeningBarred(Refusal):
    """现在不能查看：未经批准、已过期、已查看过，或您不是可以查看的人。本次尝试已记录。
    This cannot be opened now: not approved, expired, opened already, or not by you. The try is on record."""


class IdentityAway(Refusal):
    """这里读不出身份信息。请在保管员专用的入口办理；若仍不行，请联系系统管理员。本次尝试已记录。
    The identity cannot be read here. Use the custodian's own door, or ask whoever runs the system. It is on record."""


class IdentityGone(Refusal):
    """身份信息已按规定删除，谁也不能再查看。本次尝试已记录。
    The identity was erased by the rules; nobody can open it any more. The try is on record."""


class ShownBefore(Refusal):
    """这次查看的结果只显示一次，已经显示过。如仍需要，请重新申请。
    What was opened is shown once, and it was shown. If it is needed again, ask anew."""


@dataclass(frozen=True)
class Identity:
    """One of them is given at least. Never printed, so that no trace back holds it."""

    name: str | None = field(repr=False)
    contact: str | None = field(repr=False)


async def open_identity(at: Door, disclosure: str, call: Call) -> Identity:
    """Raises OpeningBarred, IdentityAway, IdentityGone, ShownBefore, NotFound, and NotPermitted for a wrong post."""
    found, answer = await _tried(at, disclosure, call)
    async with at.reading() as tx:
        history = await event_store.load(tx, answer.stream_id)
    match read(history[answer.version - 1].body).event:
        case DisclosureOpened() if answer.repeated:
            raise ShownBefore()
        case DisclosureOpened() if found is not None:
            return found
        case DisclosureOpeningRefused(why="wrong_post"):
            raise NotPermitted("not the custodian")
        case DisclosureOpeningRefused(why="closed"):
            raise IdentityGone()
        case DisclosureOpeningRefused(why=why):
            raise OpeningBarred(why=why)
        case DisclosureOpeningFailed(why="erased"):
            raise IdentityGone()
        case DisclosureOpeningFailed(why=why):
            raise IdentityAway(why=why)
    raise IdentityAway()


async def _tried(at: Door, disclosure: str, call: Call) -> tuple[Identity | None, Answer]:
    """The identity, if it lies ready, and the try. An approval that came after the look is not used up by it: look again."""
    if call.who.post != CUSTODIAN:
        return None, await at.app.handle(OpenDisclosure(disclosure=disclosure), call.cause)
    for _ in range(TRIES):
        version, found, trouble = await _looked_up(at, disclosure)
        seen = call.cause if call.cause.expected_version is not None else replace(call.cause, expected_version=version)
        try:
            return found, await at.app.handle(OpenDisclosure(disclosure=disclosure, trouble=trouble), seen)
        except VersionConflict:
            if seen is call.cause:
                raise
    raise VersionConflict(disclosure)


async def _looked_up(at: Door, disclosure: str) -> tuple[int, Identity | None, Trouble | None]:
    """The request's version; and if it is approved, the identity, or what stands in its way. Raises NotFound."""
    async with at.reading() as tx:
        line = await disclosure_line.one(tx, disclosure)
        version: int = line["version"]
        if line["state"] != "approved":
            return version, None, None
        erased = (await tip_line.one(tx, line["tip"]))["erasure"] == "erased"
        closed = await informant_of(tx, line["tip"])
    if at.custodian is None:
        return version, None, "no_keys_here"
    try:
        [opened] = await open_many([(closed, f"tip-{line['tip']}")], at.custodian)
    except WrongMasterKey:
        return version, None, "wrong_master_key"
    except (asyncpg.PostgresError, *LOST):
        return version, None, "keys_away"
    assert isinstance(opened, TipReceived)
    name, contact = text_of(opened.name), text_of(opened.contact)
    if (name is None and closed.name is not None) or (contact is None and closed.contact is not None):
        return version, None, "erased" if erased else "does_not_open"
    return version, Identity(name, contact), None
