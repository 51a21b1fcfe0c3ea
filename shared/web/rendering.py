"""HTML: one Jinja environment per service, its own templates first, the shared ones behind them.

A template extends `base.html` (blocks: title, main, width) and takes its parts from `ui.html`. It sees, beside the facts given:

    _("中文")           the text in the reader's language
    lang                "zh" or "en"
    reader              the Actor signed in, or None
    plan                the plan in force (PlanTerms), or None
    name(kind, code)    the plan's name for a code; the code itself without a plan
    town_time, town_date   filters: "2018-02-11 09:30", "2018-02-11", town time
    asset("sheet.css")  the address of a static file
    fresh_id()          a command id for a form's hidden field `command_id`
    replay              the Moment shown in a replay, else None
    just_signed         the signed receipt for the form that led here, else None
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined

from shared.decider import Actor
from shared.evidence import Evidence
from shared.ids import fresh
from shared.plan.calendar import TOWN_TIME, town_day
from shared.telemetry import correlation
from shared.web.assets import Assets
from shared.web.language import HTML_LANG, Catalogue, language
from shared.web.receipting import COOKIE

NO_EVIDENCE = Evidence({})
TEMPLATES = Path(__file__).parent / "templates"
LOCALE = Path(__file__).parent / "locale"


@dataclass(frozen=True)
class Frame:
    """What a service's pages are made with; stands in `app.state.frame`."""

    service: str
    environment: Environment


def frame_of(service: str, assets: Assets, templates: Path | None) -> Frame:
    """`templates`: the service's own; its English stands beside them in `locale/`."""
    own = [templates] if templates is not None else []
    environment = Environment(
        loader=ChoiceLoader([FileSystemLoader(folder) for folder in (*own, TEMPLATES)]),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    catalogue = Catalogue([LOCALE, *(folder.parent / "locale" for folder in own)])
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        catalogue.gettext, catalogue.ngettext, newstyle=True
    )
    environment.filters |= {"town_time": town_time, "town_date": town_date}
    environment.globals |= {"asset": assets.path, "fresh_id": lambda: str(fresh())}
    return Frame(service, environment)


def page(
    request: Request,
    template: str,
    *,
    status_code: int = 200,
    headers: Mapping[str, str] | None = None,
    **facts: Any,
) -> HTMLResponse:
    """The page. `plan` among the facts, or as page_reader left it in the request, gives codes their names."""
    frame: Frame = request.app.state.frame
    lang = language.get()
    plan = facts.pop("plan", None) or getattr(request.state, "plan", None)
    reader: Actor | None = getattr(request.state, "reader", None)
    evidence: Evidence = getattr(request.app.state, "evidence", NO_EVIDENCE)

    def name(kind: str, code: str | None) -> str:
        if not code:
            return ""
        return str(plan.name(kind, code, lang)) if plan is not None else code

    told = {
        "lang": lang,
        "html_lang": HTML_LANG[lang],
        "in_other_language": _in(request, "zh" if lang == "en" else "en"),
        "path": request.url.path,
        "service": frame.service,
        "reader": reader,
        "plan": plan,
        "name": name,
        "may_order": lambda stream: reader is not None and evidence.allows(reader, stream),
        "correlation": correlation.get(),
        "replay": getattr(request.app.state, "replay", None),
        "just_signed": request.cookies.get(COOKIE) if reader is not None else None,
    }
    html = frame.environment.get_template(template).render(told | facts)
    answer = HTMLResponse(html, status_code, {"Content-Language": HTML_LANG[lang], **(headers or {})})
    if COOKIE in request.cookies:
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return answer


def _in(request: Request, lang: str) -> str | None:
    """This address in another language; None for the answer to a form, which asking again would lose."""
    if request.method not in ("GET", "HEAD"):
        return None
    wanted = [(k, v) for k, v in request.query_params.multi_items() if k != "lang"]
    return f"{request.url.path}?{urlencode([*wanted, ('lang', lang)])}"


def town_time(moment: datetime | None) -> str:
    return moment.astimezone(TOWN_TIME).strftime("%Y-%m-%d %H:%M") if moment else ""


def town_date(day: datetime | date | None) -> str:
    if isinstance(day, datetime):
        day = town_day(day)
    return day.isoformat() if day else ""


def wants_page(request: Request) -> bool:
    """Whether a person with a browser asks for a page, rather than a program for JSON."""
    return "text/html" in request.headers.get("accept", "") and "/v1/" not in request.url.path
