"""`minewatch audit as-known REPORT`: what was known at a report's cut-off, beside what was filed and what is known today."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import httpx
from rich.console import Console
from rich.table import Table

from shared.audit.moment import as_of
from shared.audit.opened import opened
from shared.cli.audit_replay import data_option
from shared.cli.programs import service as service_of
from shared.cli.stopped import settings_at
from shared.sql import Tx
from shared.web.replayed import replay_app

SERVICE = "reporting"


@click.command("as-known")
@click.argument("report")
@click.option("--at", "moment", metavar="T", help="2018-02-09T17:00 (town time), or with its offset; else the cut-off")
@click.option("--json", "as_json", is_flag=True, help="what the API answers")
@data_option
def as_known(report: str, moment: str | None, as_json: bool, data: Path | None) -> None:
    """Compare what was known at REPORT's cut-off with what was filed and with today, each difference event by event."""
    told = asyncio.run(_asked(report, moment, data))
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False, indent=1))
    else:
        _print(told)


async def _asked(report: str, moment: str | None, data: Path | None) -> dict[str, Any]:
    """The service's own route answers, read as an auditor from the live read models; Postgres lets it write nothing."""
    async with settings_at(data) as settings_for:
        settings = settings_for(SERVICE)
        async with opened(service_of(SERVICE, settings=settings).card, settings) as service:
            async with service.pool.acquire() as connection:
                now = await as_of(Tx(connection), SERVICE, list(service.card.consumes()), datetime.now(UTC))
            web = replay_app(service, service.pool, now, "auditor")
            async with httpx.AsyncClient(transport=httpx.ASGITransport(web), base_url="http://reporting") as http:
                path = f"/{SERVICE}/v1/reports/{report}/as-known"
                answer = await http.get(path, params={"moment": moment} if moment else {})
    told: dict[str, Any] = answer.json()
    if not answer.is_success:
        raise click.ClickException(told["detail"])
    return told


def _print(told: dict[str, Any]) -> None:
    console = Console()
    table = Table(title=f"{told['report']}: {told['at']}")
    for column in ("", "known then", "filed", "today"):
        table.add_column(column, justify="right" if column else "left")
    for figure in told["figures"]:
        table.add_row(figure["name_en"], *(str(figure[name]) for name in ("known", "filed", "today")))
    console.print(table)
    for figure in told["figures"]:
        for word, moved in (("until it was filed", figure["until_filed"]), ("since", figure["since"])):
            for one in moved:
                cause = one["cause"]
                what = f"{cause['source']} {cause['position']} {cause['type']} {cause['event_id']}"
                who = f"{cause['actor']} ({cause['in_role']}), recorded {cause['recorded_at']}"
                line = f"{figure['name_en']} {one['change']:+d} {word}: {what} by {who}"
                console.print(line, soft_wrap=True, highlight=False)
    console.print(f"what was filed has the bytes that were filed: SHA-256 {told['content_sha256']}", soft_wrap=True)
