"""`minewatch audit`: prove, export, replay. What each command does is told in a file of its own."""

import click

from shared.cli.later import LaterGroup

COMMANDS = {
    "as-known": (
        "shared.cli.audit_known:as_known",
        "Compare what was known at REPORT's cut-off with what was filed and with today, each difference event by event.",
    ),
    "copy": (
        "shared.cli.audit_copy:copy_command",
        "Take what the logs have grown by since the last time, and check everything that is here.",
    ),
    "diff": (
        "shared.cli.audit_replay:diff",
        "Say which rows of the read models changed between two moments, and the events that changed them.",
    ),
    "export": (
        "shared.cli.audit_export:export_command",
        "Write the logs as files that anybody can check, or bring an older export up to date.",
    ),
    "pack": (
        "shared.cli.audit_pack:pack_command",
        "Take records of SERVICE as evidence: `pack cases hazard-… --to hazard.zip`.",
    ),
    "proof": (
        "shared.cli.audit_export:proof",
        "Print the proof that an event is in its log (C2SP tlog-proof), on the newest checkpoint.",
    ),
    "replay": (
        "shared.cli.audit_replay:replay",
        "Build the read models of another moment in a scratch database, from log and inbox; the town's own are not "
        "touched.",
    ),
    "verifier": (
        "shared.cli.audit_verify:verifier",
        "Write the verifier as one file that needs nothing but Python and cryptography: python FILE PATH --policy FILE.",
    ),
    "verify": (
        "shared.cli.audit_verify:verify",
        "Verify an export folder (or one service's in it), an evidence pack, a .tlog-proof with its entry, "
        "or a living town.",
    ),
}
"""As in shared.cli.main."""


@click.group(cls=LaterGroup, later=COMMANDS)
def audit() -> None:
    """Prove that the record was not altered; export it, replay it, take a part of it as evidence."""
