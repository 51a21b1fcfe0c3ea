"""Hazards as pages: the list with its filters, one hazard with its timeline, and the forms of whoever may act on it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.cases.desk import about_hazard, head_of, names_of
from services.cases.hazard_bodies import State
from services.cases.hazard_forms import FORMS, HazardForm, command_from, field_for, offered
from services.cases.read_models import hazard_file, hazard_line, site_line
from services.cases.sight import sight_of
from services.cases.who_may import LEADING, READERS
from shared.contracts.event import Code, Id
from shared.decider import Actor
from shared.identity import posts
from shared.plan.terms import PlanTerms
from shared.sql import Tx
from shared.web.door import Call, Door, door, form_call, page_reader
from shared.web.forms import NOT_TRIED, Refused, taken
from shared.web.paging import cursor_of, read_cursor
from shared.web.rendering import page

router = APIRouter(prefix="/cases/hazards", include_in_schema=False)

AtDoor = Annotated[Door, Depends(door)]
Reader = Annotated[Actor, Depends(page_reader(*READERS))]
LINES = 30
NOBODY = "nobody"
"""The filter for hazards of which no leader is in charge."""
ONE_DAY = timedelta(days=1)
TONES = {"became_overdue": "red", "entered_in_error": "red", "accepted": "green", "closed_out": "green"}


@router.get("")
async def hazards_page(
    request: Request,
    at: AtDoor,
    who: Reader,
    state: State | Literal[""] = "open",
    village: str = "",
    category: str = "",
    overdue: str = "",
    leader: str = "",
    cursor: str = "",
) -> HTMLResponse:
    """The list, newest number first, open hazards unless asked otherwise."""
    wanted = {"state": state, "village": village, "category": category, "overdue": overdue, "leader": leader}
    before, sight = read_cursor(cursor, int), sight_of(who)
    async with at.reading() as tx:
        rows = await hazard_file.lines(
            tx,
            sight,
            limit=LINES + 1,
            before=before[0] if before else None,
            state=state or None,
            village=village or None,
            category=category or None,
            overdue=True if overdue else None,
            leader=leader if leader not in ("", NOBODY) else None,
            unled=leader == NOBODY,
        )
        plan = await at.terms(tx)
        led = await hazard_line.leaders(tx) | (await _leaders(tx, at)).keys()  # also who has left their post since
        people = await names_of(tx, led | {row[place] for row in rows for place in ("responsible", "leader")} - {None})
    following = {**wanted, "cursor": cursor_of(rows[LINES - 1]["hazard_no"])} if len(rows) > LINES else None
    return page(
        request,
        "hazards/list.html",
        plan=plan,
        lines=[{**row, "days": days_left(row, at.clock.now())} for row in rows[:LINES]],
        people=people,
        led=sorted(led),
        wanted=wanted,
        whole_town=sight.open,
        villages=plan.codes("village") if plan else (),
        categories=plan.codes("category") if plan else (),
        next=f"?{urlencode(following)}" if following else None,
        first=f"?{urlencode(wanted)}" if cursor else None,
    )


def days_left(told: Mapping[str, Any], now: datetime) -> int | None:
    """Days to the deadline, begun ones counted; below zero, days since. None when nothing runs."""
    if told["deadline_at"] is None or told["state"] not in ("three_fix_ordered", "completed"):
        return None
    left: timedelta = told["deadline_at"] - now
    return -(-left // ONE_DAY) if left > timedelta() else left // ONE_DAY


@router.get("/{hazard}")
async def hazard_page(request: Request, hazard: Id, at: AtDoor, who: Reader) -> HTMLResponse:
    """One hazard, what happened to it, and what this reader may do about it now."""
    return await _shown(request, at, who, hazard)


async def _shown(request: Request, at: Door, who: Actor, hazard: str, bad: Refused = NOT_TRIED) -> HTMLResponse:
    sight = sight_of(who)
    async with at.reading() as tx:
        told = await hazard_file.whole(tx, sight, hazard)
        steps = await hazard_file.steps(tx, sight, hazard)
        forms = offered(told, who, await head_of(at, tx, who))
        plan = await at.terms(tx)
        facts: dict[str, Any] = {
            "steps": [_in_words(step) for step in steps],
            "people": await names_of(tx, hazard_file.people_in(told, steps)),
            "site": await site_line.one(tx, told["site"]) if told["site"] else None,
            "leaders": await _leaders(tx, at),
            "candidates": await _candidates(tx, at, told["village"], plan) if told["state"] == "listed" else [],
        }
    return page(
        request,
        "hazards/one.html",
        plan=plan,
        hazard=told,
        days=days_left(told, at.clock.now()),
        measures=plan.codes("measure") if plan else (),
        forms=[form.step for form in forms],
        **facts,
        **bad.shown,
    )


def _in_words(step: Mapping[str, Any]) -> dict[str, Any]:
    """A step for the timeline: its tone, and times instead of texts."""
    return {**step, "facts": _with_times(step["facts"]), "tone": TONES.get(step["step"])}


def _with_times(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The times in what an event said, `value.at` of a correction too."""
    told: dict[str, Any] = {
        name: datetime.fromisoformat(value) if value and (name == "at" or name.endswith("_at")) else value
        for name, value in facts.items()
    }
    return told | {"value": _with_times(told["value"])} if told.get("value") else told


async def _candidates(tx: Tx, at: Door, village: str, plan: PlanTerms | None) -> list[posts.Holder]:
    """Who can be made responsible: those of the village first, then everybody who is bound to none."""
    held = await posts.everybody(tx, on=at.today())
    able = [h for h in held if h.post not in ("auditor", "custodian") and h.village in (None, village)]
    order = plan.codes("post") if plan else ()
    return sorted(able, key=lambda h: (h.village is None, order.index(h.post) if h.post in order else 99, h.person))


async def _leaders(tx: Tx, at: Door) -> dict[str, posts.Holder]:
    """Who can be in charge of a hazard, each once, in the highest post that they hold."""
    found: dict[str, posts.Holder] = {}
    for post in reversed(LEADING):
        for holder in await posts.holders(tx, post, on=at.today()):
            found.setdefault(holder.person, holder)
    return found


@router.get("/{hazard}/{step}")
async def back_to_hazard(hazard: Id, step: Code) -> Response:
    """The address of a refused form, asked for again (another language, reload): the hazard's page is there."""
    return RedirectResponse(f"/cases/hazards/{hazard}", 303)


def _receives(form: HazardForm) -> Any:
    """The route that takes one form."""

    async def post_form(
        request: Request, hazard: Id, at: AtDoor, call: Annotated[Call, Depends(form_call(*form.posts))]
    ) -> Response:
        async def work(typed: Mapping[str, str]) -> str:
            await about_hazard(at, call, command_from(form, hazard, typed))
            return f"/cases/hazards/{hazard}#now"

        return await taken(
            request,
            form.step,
            work,
            lambda bad: _shown(request, at, call.who, hazard, bad),
            lambda rule, _: field_for(form, rule) or form.step,
        )

    return post_form


for _form in FORMS:
    router.add_api_route(
        f"/{{hazard}}/{_form.step}", _receives(_form), methods=["POST"], openapi_extra={"x-span": f"{_form.step}-form"}
    )
