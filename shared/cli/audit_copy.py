"""`minewatch audit copy`: an auditor's own copy of the logs, pulled over HTTP, kept where the town has no hand in it."""

import asyncio
import re
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
import httpx

from shared.audit.copy import Copied, LogAt, copy
from shared.audit.folder import LogFolder
from shared.cli.policies import PolicyUnusable, policy_in
from shared.errors import MinewatchError
from shared.settings import SERVICES
from shared.verifier.export import NO_WITNESS
from shared.verifier.program import Question, answer
from shared.verifier.report import PROVEN
from shared.verifier.trust import Unusable

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds_of(_: click.Context, __: click.Parameter, written: str | None) -> int | None:
    found = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", written) if written is not None else None
    if written is not None and found is None:
        raise click.BadParameter(f"{written} is no length of time: 30m, 1h, 1d")
    return int(found[1]) * UNITS[found[2]] if found is not None else None


@click.command("copy")
@click.option("--from", "url", metavar="URL", required=True, help="the town's door, https://…")
@click.option(
    "--token", required=True, envvar="MINEWATCH_AUDITOR_TOKEN", show_envvar=True, help="an auditor's, or a client's key"
)
@click.option(
    "--to", "folder", type=click.Path(path_type=Path, file_okay=False), required=True, help="new, or the copy so far"
)
@click.option("--policy", "policy_file", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=True,
              help="your own file: the logs' keys, and whose signatures you want to see")  # fmt: skip
@click.option("--reason", required=True, help="why; recorded in each log that is read, sealed for the office")
@click.option(
    "--service", "services", type=click.Choice(SERVICES), multiple=True, help="only this one; may be given again"
)
@click.option("--every", metavar="TIME", callback=seconds_of, help="go on, once in 30m, 1h, 1d …; without it once")
def copy_command(
    url: str, token: str, folder: Path, policy_file: Path, reason: str, services: tuple[str, ...], every: int | None
) -> None:
    """Take what the logs have grown by since the last time, and check everything that is here.

    Nothing is taken that the copy so far contradicts: the checkpoint is kept as DIR/refused-…, and the exit code is 1.
    """
    try:
        policy_in(policy_file)
    except PolicyUnusable as error:
        raise click.ClickException(str(error)) from error
    sys.exit(asyncio.run(_repeatedly(Job(url, token, folder, policy_file, reason, services or SERVICES), every)))


@dataclass(frozen=True)
class Job:
    """What one run does. The policy is read anew each time: a log that was restored has another line in it from then on."""

    url: str
    token: str
    folder: Path
    policy_file: Path
    reason: str
    services: Sequence[str]


async def _repeatedly(job: Job, every: int | None) -> int:
    """The exit code of the last run. A signal waits for the run under way."""
    stop = asyncio.Event()
    if every is not None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    while True:
        code = await run(job)
        if every is None or stop.is_set():
            return code
        try:
            await asyncio.wait_for(stop.wait(), every)
            return code
        except TimeoutError:
            continue


async def run(job: Job) -> int:
    """One copy of every service, then the check of all that is held; 0, or 1 when anything failed. Each says one line."""
    job.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    failed = False
    async with httpx.AsyncClient(base_url=job.url, follow_redirects=False) as http:
        for name in job.services:
            try:
                policy = policy_in(job.policy_file)
                done = await copy(LogAt(http, name, job.token), LogFolder(job.folder / name), policy, job.reason)
            except MinewatchError as error:
                failed = True
                _say(job, f"{name} FAILED {type(error).__name__}: {error}")
            else:
                _say(job, f"{name} {_told(done)}")
    return 1 if not _verified(job) or failed else 0


def _told(done: Copied) -> str:
    return f"{done.size} events, {done.size - done.before} of them new"


def _verified(job: Job) -> bool:
    """The check of everything that is held, by code that was not written beside this; what it says is shown when it doubts."""
    held = sorted(path.parent.name for path in job.folder.glob("*/checkpoint"))
    if not held:
        return True
    but = ""
    try:
        report = answer(Question(job.folder, job.policy_file, services=tuple(held)))
        sound, said = report.code == PROVEN, "\n".join(report.lines())
        if NO_WITNESS in report.remarks:
            but = f", but {NO_WITNESS[1]}"
    except Unusable as error:
        sound, said = False, f"{error.chinese}\n{error.english}"
    if not sound:
        click.echo(said, err=True)
    _say(job, f"verified{but}" if sound else "DOUBTED, see what is said above; minewatch audit verify says it again")
    return sound


def _say(job: Job, line: str) -> None:
    """On the screen, and in the copy's own log."""
    written = f"{datetime.now(UTC).isoformat(timespec='seconds')} {line}"
    click.echo(written)
    with open(job.folder / "copy.log", "a", encoding="utf-8") as log:
        log.write(f"{written}\n")
