"""Signing in on the pages of all services: a token goes into a cookie that scripts and other sites never see."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from shared.decider import Actor
from shared.errors import NotSignedIn
from shared.web.door import COOKIE, Door, door, form_of, from_our_own_page, signed_in_by, visitor
from shared.web.rendering import page

router = APIRouter(include_in_schema=False)

FIRST = "/cases/hazards"
FIRST_OF = {"custodian": "/intake/informants"}
"""Where a post begins that has no business with hazards."""
MOST = 4000


def within(address: str) -> str:
    """`address` if it is one of ours, path and query only; else where staff begins."""
    parts = urlsplit(address)
    ours = address.startswith("/") and not parts.scheme and not parts.netloc
    return address if ours and "\\" not in address and address.isprintable() else FIRST


@router.get("/sign-in")
async def sign_in_page(request: Request, who: Annotated[Actor | None, Depends(visitor)], next: str = "") -> Response:
    """Asks for the token."""
    return page(request, "sign_in.html", next=within(next), wrong=False)


@router.post("/sign-in")
async def sign_in(request: Request, at: Annotated[Door, Depends(door)]) -> Response:
    """Takes a good token into the cookie and goes where the reader wanted to go; it is never shown again."""
    from_our_own_page(request)
    form = await form_of(request)
    token, wanted = "".join(str(form.get("token") or "").split())[:MOST], within(str(form.get("next") or ""))
    try:
        who = signed_in_by(at, token)
    except NotSignedIn:
        return page(request, "sign_in.html", status_code=422, next=wanted, wrong=True)
    first = FIRST_OF.get(who.post)
    answer = RedirectResponse(first if first and wanted == FIRST else wanted, 303)
    answer.set_cookie(COOKIE, token, path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return answer


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """Forgets the cookie."""
    from_our_own_page(request)
    answer = RedirectResponse("/", 303)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return answer
