"""The command line. Services and the simulation are reached by entry-point name, so that an image may hold only one."""

import asyncio
import sys

import click

from shared.cli.importing import own_process
from shared.cli.later import LaterGroup
from shared.core_dumps import forbid_core_dumps
from shared.errors import MinewatchError, Refusal, own_words

COMMANDS = {
    "accept-lineage": (
        "shared.cli.work:accept",
        "Let SERVICE go on with SOURCE, which was restored and forgot events that SERVICE received.",
    ),
    "asyncapi": ("shared.cli.asyncapi:asyncapi", "Print the AsyncAPI 3.0 document of the installed services."),
    "audit": (
        "shared.cli.audit:audit",
        "Prove that the record was not altered; export it, replay it, take a part of it as evidence.",
    ),
    "backup": (
        "shared.cli.backup:backup",
        "Take a backup of a town while it runs: every service at one moment, read back and proven before it counts.",
    ),
    "client": ("shared.cli.client:client", "Keys of other departments' systems."),
    "demo": ("shared.cli.up:demo", "Live through the whole campaign of 2018 in two minutes."),
    "environment": (
        "shared.cli.environment:environment",
        "Make the file that docker-compose.yml reads: every secret fresh, readable by its owner only.",
    ),
    "keys": ("shared.cli.keys:keys", "What wraps the keys of sealed texts."),
    "migrate": ("shared.cli.migrate:migrate", "Bring every database to the newest step, each as its owner."),
    "parked": (
        "shared.cli.parked:parked",
        "Events whose reaction was refused, and those that wait behind them.",
    ),
    "plan": ("shared.cli.plan:plan", "Plan files."),
    "rebuild": (
        "shared.cli.work:rebuild",
        "Build SERVICE's read models anew beside the live ones, and swap them in.",
    ),
    "restore": (
        "shared.cli.restore:restore",
        "Restore a town from a backup into an empty place: proven first, erasures done again, every log in a new lineage.",
    ),
    "serve": ("shared.cli.serve:serve", "Run SERVICE."),
    "signer": (
        "shared.cli.signer:signer",
        "Sign the logs' checkpoints: only what extends what was signed before.",
    ),
    "status": (
        "shared.cli.status:status",
        "Say how SERVICE stands, or every service that can be reached: by MINEWATCH_… variables as for serve, "
        "or in a town.",
    ),
    "tidy": (
        "shared.cli.tidy:tidy",
        "Remove old answers, deliveries and reactions that are done from SERVICE, or from every service "
        "that can be reached.",
    ),
    "timers": ("shared.cli.timers:timers", "Deadlines whose handling failed."),
    "token": ("shared.cli.token:token", "Print a token for whoever holds POST (in UNIT) by the town's plan."),
    "up": (
        "shared.cli.up:up",
        "Run a whole town from one folder: Postgres, NATS and the four services behind one port.",
    ),
    "witness": (
        "shared.cli.witness:witness",
        "Sign a log's checkpoints as a witness: only what extends what was signed before.",
    ),
}
"""Name -> where the command is, and the first sentence of its own help."""


@click.group(cls=LaterGroup, later=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="minewatch")
def commands() -> None:
    """矿巡 minewatch: a town's campaign against illegal mining, event by event."""


def main() -> None:
    """Prints a known error as one line and leaves with 2; anything else keeps its traceback."""
    forbid_core_dumps()
    own_process()
    try:
        commands()
    except MinewatchError as error:
        click.echo(f"minewatch: {_said(error)}", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)


def _said(error: MinewatchError) -> str:
    """What its kind says to people, in both languages, and what it is about; or its text, where the kind has no such words."""
    words = own_words(type(error))
    about = ", ".join(f"{k}={v}" for k, v in error.facts.items()) if isinstance(error, Refusal) else str(error)
    if words is None:
        return about
    return " ".join(words) + (f" ({about})" if about else "")


if __name__ == "__main__":
    main()
