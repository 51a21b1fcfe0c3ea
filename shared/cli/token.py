"""`minewatch token --as POST[@UNIT]`: a person token for somebody the plan appoints."""

from datetime import timedelta
from pathlib import Path

import click

from shared.cli.place import place_of, place_option
from shared.decider import Actor
from shared.identity.tokens import Tokens


@click.command()
@click.option(
    "--as", "post_at_unit", metavar="POST[@UNIT]", required=True, help="for example clerk or village_head@dulan"
)
@place_option
@click.option("--person", help="when several hold the post")
@click.option("--for", "on_behalf_of", metavar="PERSON", help="acting for this person")
@click.option("--ground", default="no_phone", show_default=True, help="why: no_phone, deputy, absent …")
@click.option("--hours", type=click.IntRange(1, 24 * 400), default=12, show_default=True)
def token(post_at_unit: str, data: Path, person: str | None, on_behalf_of: str | None, ground: str, hours: int) -> None:
    """Print a token for whoever holds POST (in UNIT) by the town's plan."""
    place = place_of(data)
    post, _, unit = post_at_unit.partition("@")
    holders = [p for p in place.plan.people if p.post == post and unit in ("", p.unit) and person in (None, p.person)]
    if not holders:
        known = ", ".join(sorted({f"{p.post}@{p.unit}" for p in place.plan.people}))
        raise click.ClickException(f"nobody holds {post_at_unit}; the plan knows: {known}")
    holder = holders[0]
    actor = Actor(
        person=holder.person,
        post=holder.post,
        unit=holder.unit,
        village=holder.village,
        on_behalf_of=on_behalf_of,
        ground=ground if on_behalf_of else None,
    )
    try:
        click.echo(Tokens(*place.keys).issue(actor, timedelta(hours=hours)))
    except ValueError as error:
        raise click.ClickException(f"{error}: people are named by id, grounds by code") from error
