"""`minewatch client …`: the keys of other departments' systems, which act in a post of the plan."""

import os
from pathlib import Path

import click
from pydantic import ValidationError

from shared.cli.place import Place, place_of, place_option
from shared.errors import NotReady
from shared.identity.clients import Client, new_client, read_clients, without_clients

CONTAINERS_USER = 10001
SHOWN = 12
"""Digits of a key's SHA-256 by which a person tells two of them apart."""


@click.group()
def client() -> None:
    """Keys of other departments' systems."""


@client.command()
@click.argument("name")
@click.option(
    "--as", "post_at_unit", metavar="POST@UNIT", required=True, help="for example police_officer@police_station"
)
@click.option("--village", metavar="CODE", help="let it see and do what belongs to this village only")
@click.option("--another", is_flag=True, help="a second key for a client that has one, until it uses the new one")
@place_option
def add(name: str, post_at_unit: str, village: str | None, another: bool, data: Path) -> None:
    """Make a key for NAME and print it, this once: only its digest is kept."""
    place = place_of(data)
    post, _, unit = post_at_unit.partition("@")
    _must_be_in(place, "--as", "post", {p.code for p in place.plan.posts}, post)
    _must_be_in(place, "--as", "unit", {u.code for u in place.plan.units}, unit)
    if village is not None:
        _must_be_in(place, "--village", "village", {v.code for v in place.plan.villages}, village)
    known = any(one.name == name for one in _known(place))
    if known and not another:
        raise click.BadParameter(f"{name} has a key already; --another makes a second one", param_hint="NAME")
    if another and not known:
        raise click.BadParameter(f"no client is called {name}; leave --another out", param_hint="NAME")
    try:
        key = new_client(place.clients, name, post, unit, village)
    except ValidationError as error:
        raise click.BadParameter("small letters, digits, _ and - only", param_hint="NAME") from error
    click.echo(key)
    click.echo(f"{name} acts as {post} of {unit}. The key is shown this once; it is good from now on.", err=True)
    _let_read(place)


@client.command("list")
@place_option
def list_clients(data: Path) -> None:
    """Say who has a key, for which post; keys themselves are not kept."""
    found = _known(place_of(data))
    for one in found:
        where = f" in {one.village}" if one.village else ""
        click.echo(f"{one.name:<24}{one.post}@{one.unit}{where}  key {one.sha256[:SHOWN]}")
    if not found:
        click.echo("no client has a key: minewatch client add NAME --as POST@UNIT")


@client.command()
@click.argument("name")
@click.option("--key", "digest", metavar="DIGITS", default="", help="only the key whose digits `client list` shows")
@place_option
def remove(name: str, digest: str, data: Path) -> None:
    """Take away NAME's keys: from now on they open nothing. What was done with them stays in the record."""
    place = place_of(data)
    found = [one for one in _known(place) if one.name == name]
    gone = [one for one in found if one.sha256.startswith(digest)]
    if not gone:
        keys = ", ".join(one.sha256[:SHOWN] for one in found)
        raise click.ClickException(f"{name} has the keys {keys}" if found else f"no client is called {name}")
    if digest and len(gone) > 1:
        raise click.BadParameter("more than one key begins so; give more digits", param_hint="--key")
    without_clients(place.clients, gone)
    click.echo(f"{name}: {len(gone)} of {len(found)} keys removed")
    _let_read(place)


def _known(place: Place) -> tuple[Client, ...]:
    """Raises ClickException for a file that cannot be read."""
    try:
        return read_clients(place.clients).clients if place.clients.exists() else ()
    except NotReady as error:
        raise click.ClickException(f"{place.clients.parent}/{error}") from error


def _must_be_in(place: Place, option: str, kind: str, codes: set[str], code: str) -> None:
    if code not in codes:
        known = ", ".join(sorted(codes))
        raise click.BadParameter(f"{code!r} is no {kind} of the plan; it knows: {known}", param_hint=option)


def _let_read(place: Place) -> None:
    """Only its owner may read the file, and in containers services are somebody else."""
    if not place.contained or place.clients.stat().st_uid == CONTAINERS_USER:
        return
    try:
        os.chown(place.clients, CONTAINERS_USER, -1)
    except PermissionError:
        click.echo(f"The services cannot read it yet: sudo chown {CONTAINERS_USER} {place.clients}", err=True)
