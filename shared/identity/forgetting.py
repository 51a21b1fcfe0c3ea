"""Every process drops the keys of whoever, or whatever record, is erased, as soon as the bus says so.

Without the bus a process forgets them all the same, a quarter of an hour later at most (key_store.py).
"""

import json
from collections.abc import Callable, Sequence

from nats.aio.client import Client
from nats.aio.msg import Msg

from shared.backup.erasures import ERASED
from shared.contracts.intake.words import WordsErased
from shared.identity.key_store import KeyStore
from shared.stream import subject_of
from shared.telemetry import log


async def listen(nc: Client, jurisdiction: str, keys: KeyStore, then: Sequence[Callable[[], None]] = ()) -> None:
    """Until the connection closes. What it hears changes nothing but memory and copies, so whoever sent it is not asked. `then`:
    what else is to be done when a record's words are erased, which copies may hold; looked at each time."""

    async def heard(message: Msg) -> None:
        try:
            told = json.loads(message.data)
            subject = str(told["data"][ERASED[told["type"]]])
        except (ValueError, KeyError, TypeError):
            log("keys").warning("unreadable", subject=message.subject)
            return
        keys.forget(subject)
        for each in then if told["type"] == WordsErased.type else ():
            each()

    for type_ in ERASED:
        await nc.subscribe(subject_of(jurisdiction, type_), cb=heard)
