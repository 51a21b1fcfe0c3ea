"""An evidence pack made from running services: where each part of it comes from."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from shared.audit.pack import Section, Source
from shared.audit.pack_pages import told_of
from shared.audit.pack_timeline import Names
from shared.audit.pack_zip import Pack
from shared.audit.suggestion import suggested
from shared.cosigning import load_policy
from shared.files import Files
from shared.identity import posts
from shared.opening import for_a_pack
from shared.service import Service
from shared.sql import Tx


def source_of(service: Service) -> Source:
    """Raises PolicyFileError."""
    path = service.settings.policy
    return Source(
        app=service.app,
        files=Files(service.sealer),
        evidence=service.card.evidence,
        policy=load_policy(path) if path is not None else None,
    )


async def laid_out(sections: Sequence[Section], services: Sequence[Service]) -> Pack:
    """`services`: whose sections these are, in the same order. In a thread: the PDF takes a while."""
    asked = services[0]
    async with asked.pool.acquire() as connection:
        tx = Tx(connection)
        names = Names(await posts.names(tx), await asked.book.in_force(tx))
    told = [
        replace(each, events=tuple(replace(event, recorded=for_a_pack(event.recorded)) for event in each.events))
        for each in sections
    ]
    logs = zip((each.point.origin for each in sections), (each.settings for each in services), strict=True)
    policy = await suggested(logs)
    receipts = [
        service.log_signing.receipts_of(each.point.origin) for each, service in zip(sections, services, strict=True)
    ]
    return await asyncio.to_thread(lambda: Pack.of(sections, told_of(told, names), policy, receipts))
