"""Pages without a login: the start page, the tip form with its receipt, and the state of a tip by its receipt.

A receipt travels in bodies only, never in an address. No page here is stored by browsers or proxies.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from services.intake import reception
from services.intake.read_models.receipt_status import Status
from services.intake.tip_commands import SupplementTip
from services.intake.tip_forms import FIELD_OF, MOST, Typed, longer_than
from services.intake.tries import TooManyTries
from shared.decider import Actor
from shared.errors import IdempotencyMismatch, MinewatchError, NoPlanInForce, NotFound, Refusal
from shared.plan.terms import PlanTerms
from shared.web.door import Call, Door, caller, door, form_call, visitor
from shared.web.language import language, says
from shared.web.problems import status_of, words_of
from shared.web.receipting import signed_receipt
from shared.web.rendering import page

router = APIRouter(include_in_schema=False)

AtDoor = Annotated[Door, Depends(door)]
Visitor = Annotated[Actor | None, Depends(visitor)]
PublicForm = Annotated[Call, Depends(form_call(public=True))]

ANSWERED = (Refusal, NotFound, TooManyTries, IdempotencyMismatch)
"""What the form itself tells; anything else is a page of its own."""


@router.get("/")
async def start_page(request: Request, at: AtDoor, who: Visitor) -> HTMLResponse:
    """What this is, where to send a tip, and what becomes of it."""
    async with at.reading() as tx:
        plan = await at.terms(tx)
    return page(request, "start.html", plan=plan)


async def _plan(at: Door) -> PlanTerms:
    async with at.reading() as tx:
        plan = await at.terms(tx)
    if plan is None:
        raise NoPlanInForce()
    return plan


@router.get("/tip")
async def tip_page(request: Request, at: AtDoor, who: Visitor) -> HTMLResponse:
    """The empty form, anonymous unless its box is unticked."""
    return _form(request, await _plan(at), Typed(), {})


def _form(
    request: Request, plan: PlanTerms, typed: Typed, wrong: dict[str, str], status_code: int = 200, **more: Any
) -> HTMLResponse:
    """`wrong`: field -> what is wrong with it."""
    lang: Literal["zh", "en"] = "en" if language.get() == "en" else "zh"
    villages = [(code, plan.name("village", code, lang)) for code in plan.codes("village")]
    facts = {"villages": villages, "typed": typed, "wrong": wrong, "most": MOST, "command_id": None, **more}
    return page(request, "tip/form.html", status_code=status_code, plan=plan, **facts)


@router.get("/tip/receipt")
async def receipt_again() -> RedirectResponse:
    """A receipt is shown once; whoever comes back by its address finds the form."""
    return RedirectResponse("/tip", 303)


@router.post("/tip/receipt", openapi_extra={"x-span": "tip-post"})
async def tip_form(request: Request, at: AtDoor, call: PublicForm) -> HTMLResponse:
    """Takes the form: the receipt, or the form again with what is wrong. The same form sent twice gives the same receipt."""
    form = await request.form()
    typed, plan = Typed.of(form), await _plan(at)
    if wrong := typed.complaints():
        return _form(request, plan, typed, wrong, 422, command_id=form.get("command_id"))
    try:
        _, code = await reception.receive(at, call.cause, channel="web", **typed.facts())
    except IdempotencyMismatch:  # sent before, gone back, changed: it would be another tip
        said = says(
            "这份举报已经提交过。要补充情况，请凭回执在“查询进展”中填写；再次提交将作为另一条举报。",
            'This form was sent before. To add to it, use its receipt under "Ask about a report"; sent again, it is another tip.',
        )
        return _form(request, plan, typed, {"words": said}, 409)
    except ANSWERED as error:
        return _form(request, plan, typed, _wrong(error), status_of(request, error), command_id=form.get("command_id"))
    signed = await signed_receipt(request)
    return page(request, "tip/receipt.html", status_code=201, plan=plan, code=code, live=typed.live, signed=signed)


def _wrong(error: MinewatchError) -> dict[str, str]:
    return {FIELD_OF.get(type(error).__name__, "words"): says(*words_of(error))}


@router.get("/tip/status")
async def status_page(request: Request, who: Visitor) -> HTMLResponse:
    """Asks for the receipt."""
    return _asked(request)


def _asked(request: Request, receipt: str = "", error: MinewatchError | None = None) -> HTMLResponse:
    wrong = _wrong(error) if error is not None else {}
    status_code = status_of(request, error) if error is not None else 200
    headers = {"Retry-After": str(error.seconds)} if isinstance(error, TooManyTries) else None
    return page(request, "tip/ask.html", status_code=status_code, headers=headers, receipt=receipt, wrong=wrong)


def _told(
    request: Request, receipt: str, status: Status, *, added: bool = False, status_code: int = 200, **again: Any
) -> HTMLResponse:
    """`again`: words, wrong and command_id of a supplement that was not taken, or `signed`: the receipt for one that was."""
    facts = {"words": "", "wrong": {}, "command_id": None, "signed": None, **again}
    return page(
        request,
        "tip/status.html",
        status_code=status_code,
        receipt=receipt,
        status=status,
        said=says(status.zh, status.en),
        added=added,
        most=MOST["words"],
        **facts,
    )


@router.post("/tip/status")
async def status_form(request: Request, at: AtDoor, call: PublicForm) -> HTMLResponse:
    """How far the tip is, and a form to add to it."""
    receipt = str((await request.form()).get("receipt") or "")[:60]
    try:
        status = await reception.status_of(at, receipt, caller(request))
    except ANSWERED as error:
        return _asked(request, receipt, error)
    return _told(request, receipt, status)


@router.post("/tip/supplements")
async def supplement_form(request: Request, at: AtDoor, call: PublicForm) -> HTMLResponse:
    """Adds words to the tip of a receipt."""
    form = await request.form()
    receipt, words = str(form.get("receipt") or "")[:60], str(form.get("words") or "").strip()
    try:
        status = await reception.status_of(at, receipt, caller(request))
    except ANSWERED as error:
        return _asked(request, receipt, error)
    again: dict[str, Any] = {"words": words, "command_id": form.get("command_id")}
    if len(words) > MOST["words"]:
        return _told(request, receipt, status, status_code=422, wrong={"words": longer_than(MOST["words"])}, **again)
    try:
        await at.app.handle(SupplementTip(tip=status.tip, words=words), call.cause)
    except IdempotencyMismatch:  # the same page sent again with other words: they are further words
        said = says(
            "刚才的补充已收到。如果还有，请再点一次提交。",
            "What you sent before was taken. Send once more to add this.",
        )
        return _told(request, receipt, status, status_code=409, words=words, wrong={"words": said})
    except ANSWERED as error:
        return _told(request, receipt, status, status_code=status_of(request, error), wrong=_wrong(error), **again)
    return _told(request, receipt, status, added=True, signed=await signed_receipt(request))
