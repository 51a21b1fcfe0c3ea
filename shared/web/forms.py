"""A form on a page: on to the next page when it was done, else the page once more, with what was typed and what is wrong."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from shared.errors import MinewatchError, NotFound, Refusal, VersionConflict
from shared.web.language import says
from shared.web.problems import status_of, words_of
from shared.web.remedies import complaints_of

NOT_TYPED = ("command_id", "version")
"""Fields of every form that nobody fills in."""

FieldOf = Callable[[str, Mapping[str, str]], str]
"""(name of the error, what was typed) -> the field to look at, or the name of the form when it speaks of the whole."""


@dataclass(frozen=True)
class Refused:
    """The form that was tried, empty when none was; `complaints`: field -> what is wrong with it, in the reader's language."""

    tried: str = ""
    typed: Mapping[str, str] = field(default_factory=dict)
    complaints: Mapping[str, str] = field(default_factory=dict)
    status_code: int = 200

    @property
    def shown(self) -> dict[str, Any]:
        """For `page`, and the macros of ui.html."""
        return {
            "tried": self.tried,
            "typed": self.typed,
            "complaints": self.complaints,
            "status_code": self.status_code,
        }


NOT_TRIED = Refused()


def refused(
    request: Request, error: MinewatchError, tried: str, where: str, typed: Mapping[str, str] | None = None
) -> Refused:
    """`where`: the field that the error speaks of."""
    return Refused(tried, typed or {}, {where: says(*words_of(error))}, status_of(request, error))


async def taken(
    request: Request,
    tried: str,
    work: Callable[[Mapping[str, str]], Awaitable[str]],
    again: Callable[[Refused], Awaitable[HTMLResponse]],
    field_of: FieldOf,
) -> Response:
    """To the address that `work` names when it was done, else what `again` makes. `work` gets what was typed, without margins.

    Raises what is no refusal, as NotPermitted.
    """
    sent = await request.form()
    typed = {k: v.strip() for k, v in sent.items() if isinstance(v, str) and k not in NOT_TYPED}
    try:
        return RedirectResponse(await work(typed), 303)
    except ValidationError as error:
        found = {c.field: says(c.message, c.message_en) for c in complaints_of(error.errors())}
        return await again(Refused(tried, typed, found, 422))
    except (Refusal, VersionConflict, NotFound) as error:
        return await again(refused(request, error, tried, field_of(type(error).__name__, typed), typed))
