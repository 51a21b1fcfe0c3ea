"""What travels by HTTP about messages."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from services.notify.letters import Names, words
from services.notify.writing import STREAM, subject_of
from shared.contracts.event import Code
from shared.web.sent import SentValue

Reason = Annotated[str, Field(max_length=1000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Acknowledgement(_Body):
    """Nothing needs to be said."""


class Retry(_Body):
    channel: Code


class Correction(_Body):
    """about_no takes `number`, village and unit take `code`."""

    field: Code
    value: SentValue
    reason: Reason


class InError(_Body):
    reason: Reason


class MessageLine(BaseModel):
    """`about`: a stream, with `about_no` its number in the register; `title`: one line in Chinese and English.

    answer_by: when the next in the chain is told, or a reminder goes out, unless somebody has answered or the work is done.
    """

    message: str
    version: int
    kind: str
    about: str
    about_no: int | None
    recipient: str
    post: str
    unit: str
    village: str | None
    due_at: datetime | None
    answer_by: datetime | None
    step: int
    escalated_from: str | None
    escalated_to: str | None
    channels: list[str]
    issued_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    withdrawn_at: datetime | None
    title: str


class Attempt(BaseModel):
    """outcome: started | delivered | failed | dead | unavailable; `error`: a code of the transport, or what the town lacks."""

    model_config = ConfigDict(from_attributes=True)

    channel: str
    attempt: int
    started_at: datetime
    ended_at: datetime | None
    outcome: str
    error: str | None
    next_at: datetime | None


class MessagePage(MessageLine):
    """`text`: Chinese first, then English; the very words that go out."""

    text: str
    attempts: list[Attempt]


class DeadLetter(MessageLine):
    """A message that one channel could not bring: `last_error` is the code of its last failure."""

    channel: str
    attempts: int
    last_error: str | None


class Reopened(BaseModel):
    """state: open, which means that an attempt is under way or due."""

    message: str
    channel: str
    state: str


class Outcomes(BaseModel):
    """channel -> outcome -> number. in_app stands for what happens to the message itself."""

    channels: dict[str, dict[str, int]]
    dead: int


def shown(line: Any, names: Names) -> dict[str, Any]:
    """The fields of MessageLine and `text`, from a row of message_line."""
    title, text = words(subject_of(line), names)
    facts = dict(line) | {"message": line["stream"].removeprefix(STREAM), "answer_by": line["ack_due_at"]}
    return facts | {"title": title, "text": text}
