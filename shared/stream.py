"""The stream of a service: its one definition, its headers, and publishing to it in atomic batches.

Stream sequence N is log position N. A stream can be wiped at any time; the relay makes it again and refills it.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import uuid4

import nats
from nats.aio.client import Client
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig

from shared.errors import MinewatchError

LINEAGE, LEAF, POSITION = "Minewatch-Lineage", "Minewatch-Leaf", "Minewatch-Position"
MOST_MESSAGES, MOST_BYTES = 500, 1_048_576


class BatchRefused(MinewatchError):
    """The server did not take the batch; nothing of it is stored."""


@dataclass(frozen=True)
class Message:
    subject: str
    body: bytes
    headers: dict[str, str]


def inbox_of(url: str) -> str:
    """Where replies come to: below the user's own prefix, so that permissions keep them from other users."""
    user = urlsplit(url).username
    return f"_INBOX_{user}" if user else "_INBOX"


async def connect(url: str, name: str) -> Client:
    """A connection that never gives up: with a limit, an outage longer than it would freeze the process."""
    return await nats.connect(
        url,
        name=name,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.2,
        ping_interval=10,
        connect_timeout=5,
        error_cb=_quiet,
        inbox_prefix=inbox_of(url),
    )


async def _quiet(_: Exception) -> None:
    """Each caller sees and logs its own errors; the library would print them a second time."""


def heed_cancellation() -> None:
    """Raises CancelledError in a task that was cancelled and does not know it.

    nats-py (while it flushes) and `asyncio.wait_for` before Python 3.12 may swallow a cancellation; a loop around them that never
    asks would run on for ever, and so would a service that is told to stop.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def stream_name(jurisdiction: str, service: str) -> str:
    """`INTAKE_140181101`: a county holds the streams of many towns side by side."""
    return f"{service.upper()}_{jurisdiction}"


def subject_of(jurisdiction: str, type_: str) -> str:
    """`<jurisdiction>.<type>`: the town leads, so that a county can source its towns."""
    return f"{jurisdiction}.{type_}"


def definition(service: str, jurisdiction: str, first: int, keep: int | None, lineage: str) -> StreamConfig:
    """`first` is the sequence of the first message; it can be given only when the stream is made. `keep`: messages, None all.

    The lineage stands with the stream too, for the day when no message is left to tell it.
    """
    return StreamConfig(
        name=stream_name(jurisdiction, service),
        subjects=[f"{jurisdiction}.{service}.>"],
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.OLD,
        storage=StorageType.FILE,
        max_msgs=keep or -1,
        deny_delete=True,
        deny_purge=True,
        allow_direct=True,
        allow_atomic=True,
        first_seq=first,
        metadata={LINEAGE: lineage},
    )


async def publish(nc: Client, messages: Sequence[Message], after: int) -> int:
    """Stores all of `messages` behind sequence `after`, or none; the last sequence. Raises BatchRefused."""
    batch, most = uuid4().hex, len(messages)
    for nth, message in enumerate(messages, 1):
        headers = dict(message.headers)
        if nth == 1:
            headers["Nats-Expected-Last-Sequence"] = str(after)
        if most > 1:
            headers |= {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(nth)}
        if nth < most:
            await nc.publish(message.subject, message.body, headers=headers)
            continue
        if most > 1:
            headers["Nats-Batch-Commit"] = "1"
        reply = await nc.request(message.subject, message.body, headers=headers, timeout=5)
        answer = json.loads(reply.data)
        if "error" in answer:
            raise BatchRefused(json.dumps(answer["error"]))
        return int(answer["seq"])
    return after
