"""The office's own words in one record of any service: one asks to erase them, a leader decides, the service erases."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from services.intake.informant_bodies import Why, WordsErasureAsked, WordsLine, WordsPage
from services.intake.informant_desk import ASK_ERASURE, DECIDE, not_of_a_village
from services.intake.read_models import words_line
from services.intake.wording import RefuseWordsErasure
from services.intake.wording_desk import READ, approval_of, asked, shown
from shared.contracts.event import Id
from shared.decider import Actor, Command
from shared.web.door import Accepted, Call, Door, accepted, call, door, reader
from shared.web.preconditions import etag

router = APIRouter(prefix="/intake/v1/words-erasures", tags=["informants"])

AtDoor = Annotated[Door, Depends(door)]
Asks = Annotated[Call, Depends(call(*ASK_ERASURE))]
Decides = Annotated[Call, Depends(call(*DECIDE))]


async def any_reader(who: Annotated[Actor, Depends(reader(*READ))]) -> Actor:
    """Raises NotPermitted for whoever is bound to a village."""
    not_of_a_village(who)
    return who


Reader = Annotated[Actor, Depends(any_reader)]


async def _do(command: Command, response: Response, at: Door, call: Call) -> Accepted:
    not_of_a_village(call.who)
    return accepted(await at.app.handle(command, call.cause), response)


@router.post("", status_code=201)
async def ask_for_words_erasure(body: WordsErasureAsked, response: Response, at: AtDoor, call: Asks) -> Accepted:
    """Asks to erase what the office wrote in one record, with grounds. What was copied from it into others is asked for apart."""
    return await _do(await asked(at, body), response, at, call)


@router.get("")
async def list_words_erasures(
    at: AtDoor, who: Reader, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> list[WordsLine]:
    """Records whose words somebody asked to erase, asked for last first."""
    async with at.reading() as tx:
        rows = await words_line.newest(tx, most=limit)
    return [WordsLine.model_validate(dict(row)) for row in rows]


@router.get("/{record}")
async def show_words_erasure(record: Id, response: Response, at: AtDoor, who: Reader) -> WordsPage:
    """What became of one record's words."""
    async with at.reading() as tx:
        told = await shown(at, tx, who, record)
    response.headers["ETag"] = etag(told["version"])
    return WordsPage.model_validate(told)


@router.post("/{record}/approval", status_code=201)
async def approve_words_erasure(record: Id, response: Response, at: AtDoor, call: Decides) -> Accepted:
    """A second person approves. It cannot be taken back: the keys are destroyed next."""
    return await _do(await approval_of(at, record), response, at, call)


@router.post("/{record}/refusal", status_code=201)
async def refuse_words_erasure(record: Id, body: Why, response: Response, at: AtDoor, call: Decides) -> Accepted:
    """A second person refuses, with a reason."""
    return await _do(RefuseWordsErasure(record=record, reason=body.reason), response, at, call)
