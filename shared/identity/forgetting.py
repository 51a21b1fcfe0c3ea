"""Every process drops the keys of whoever is erased, as soon as the bus says so.

Without the bus a process forgets them all the same, a quarter of an hour later at most (key_store.py).
"""

import json

from nats.aio.client import Client
from nats.aio.msg import Msg

from shared.contracts.intake.informant import InformantErased
from shared.identity.key_store import KeyStore
from shared.stream import subject_of
from shared.telemetry import log


async def listen(nc: Client, jurisdiction: str, keys: KeyStore) -> None:
    """Until the connection closes. What it hears changes nothing but memory, so whoever sent it is not asked."""

    async def heard(message: Msg) -> None:
        try:
            subject = str(json.loads(message.data)["data"]["subject"])
        except (ValueError, KeyError, TypeError):
            log("keys").warning("unreadable", subject=message.subject)
            return
        keys.forget(subject)

    await nc.subscribe(subject_of(jurisdiction, InformantErased.type), cb=heard)
