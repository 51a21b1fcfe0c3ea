"""What a message sets going: its deadline, and one delivery for each channel that leads outside. Not views: rows of `work`."""

from collections.abc import Iterator
from typing import Any

from services.notify.rules import TIMER_NAMES, timer_of
from shared.contracts.envelope import Recorded
from shared.contracts.notify.message import MessageAcknowledged, MessageEnteredInError, MessageIssued
from shared.delivery_rows import delivery
from shared.read_model import ReadModel, Write
from shared.timers import due_at, not_due


def project(e: Recorded[Any]) -> Iterator[Write]:
    match e.event:
        case MessageIssued() as issued:
            timer = timer_of(issued.kind, issued.due_at, issued.ack_due_at)
            if timer is not None and issued.ack_due_at is not None:
                yield due_at(timer, e.stream_id, issued.ack_due_at)
            for channel in issued.channels:
                if channel != "in_app":
                    yield delivery(e, channel)
        case MessageAcknowledged():
            yield not_due("message.ack_due", e.stream_id)
        case MessageEnteredInError():
            for name in TIMER_NAMES:
                yield not_due(name, e.stream_id)


READ_MODEL = ReadModel(
    "message_work", tables=(), events=(MessageIssued, MessageAcknowledged, MessageEnteredInError), project=project
)
