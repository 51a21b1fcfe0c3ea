"""Which channels to the outside this town has not set up, and how many people that leaves with the app alone."""

from collections.abc import Iterator
from datetime import datetime

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from shared.findings import Finding
from shared.identity import posts
from shared.plan.calendar import town_day
from shared.settings import Settings
from shared.sql import Tx

SENDS = "notify"
"""The service that sends anything to the outside."""

KNOWS_POSTS = "SELECT to_regclass('post') IS NOT NULL"


def lacking(settings: Settings) -> dict[str, str]:
    """channel -> what it lacks, as events say it."""
    needs = {"email": (settings.mail, "no_mail"), "webhook": (settings.webhooks, "no_webhooks")}
    return {channel: lack for channel, (given, lack) in needs.items() if given is None}


async def hints_of(
    connection: asyncpg.Connection | PoolConnectionProxy, settings: Settings, now: datetime, town: str = ""
) -> tuple[Finding, ...]:
    """One for each channel that is lacking and wanted by somebody in post on the day of `now`, the campaign's time.

    No trouble: the record says of every message by which channel it went, and the inbox holds them all. `connection` finds read
    models by its search path; `town`: appended to commands, as ` --data DIR`.
    """
    if settings.service != SENDS or not await connection.fetchval(KNOWS_POSTS):
        return ()
    held = await posts.everybody(Tx(connection), on=town_day(now))
    wanted = {channel: {h.person for h in held if channel in h.channels} for channel in lacking(settings)}
    return tuple(_hints({channel: len(people) for channel, people in wanted.items() if people}, town))


def _hints(people: dict[str, int], town: str) -> Iterator[Finding]:
    """`people`: channel -> how many want it."""
    if number := people.get("email"):
        yield Finding(
            "ChannelNotSetUp",
            f"没有配置邮件服务器：{number} 人收不到邮件，只能在站内看到通知（设置 MINEWATCH_MAIL，或 minewatch up --mail）。",
            f"No mail server is set up: {number} people get no mail and find their messages in the app "
            "(set MINEWATCH_MAIL, or minewatch up --mail).",
            f"minewatch up{town} --mail 'smtp://HOST?from=ADDRESS'" if town else None,
        )
    if number := people.get("webhook"):
        yield Finding(
            "ChannelNotSetUp",
            f"没有配置接口推送：{number} 人的通知不推送，只能在站内看到（设置 MINEWATCH_WEBHOOKS，或 keys/webhooks.json）。",
            f"No webhooks are set up: {number} people's messages are pushed nowhere and stand in the app "
            "(set MINEWATCH_WEBHOOKS, or keys/webhooks.json in the town's folder).",
        )
