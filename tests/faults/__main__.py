"""`python -m tests.faults`: the long drill. It leaves with 1 when anything was not equal, and says how to run the same again."""

import asyncio
import json
import secrets
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from tests.faults import schedule
from tests.faults.drill import run
from tests.faults.report import Report

MOST = 60
"""Lines about what is wrong that are printed; all of them are in the JSON."""


@click.command()
@click.option("--seed", type=int, help="of the schedule and the load; without it a new one")
@click.option("--seconds", type=float, default=schedule.LONG_SECONDS, show_default=True, help="how long faults happen")
@click.option("--json", "file", type=click.Path(path_type=Path, dir_okay=False), help="write the report here")
@click.option("--keep", is_flag=True, help="leave the town's folder where it is")
def drill(seed: int | None, seconds: float, file: Path | None, keep: bool) -> None:
    """Kill, injure and disturb a whole town under load, and compare every effect at the end."""
    steps = schedule.make(seed if seed is not None else secrets.randbelow(1_000_000), seconds)
    console = Console(stderr=True, soft_wrap=True)
    console.print(f"seed {steps.seed}, {len(steps.steps)} steps in {seconds:.0f} s, schedule {steps.digest[:16]}")
    console.print(f"again: {_again(steps)}")
    with console.status("the town starts") as status:  # quiet where there is no terminal
        report = asyncio.run(run(steps, say=console.print, progress=status.update, keep=keep))
    if file is not None:
        file.write_text(json.dumps(vars(report), indent=1, ensure_ascii=False, default=str) + "\n", "utf-8")
    Console(soft_wrap=True).print(_table(report))
    if report.wrong:
        for line in report.wrong[:MOST]:
            console.print(line, style="red", markup=False, highlight=False)
        console.print(f"{len(report.wrong)} wrong, logs in {report.logs}; again: {_again(steps)}")
        sys.exit(1)
    console.print(report.verdict, markup=False, highlight=False)


def _again(steps: schedule.Schedule) -> str:
    more = "" if steps.seconds == schedule.LONG_SECONDS else f" --seconds {steps.seconds:g}"
    return f"python -m tests.faults --seed {steps.seed}{more}"


def _table(report: Report) -> Table:
    table = Table("what", "times", box=None)
    for name, number in (
        ("kill -9", report.kills),
        *((f"  at {point!r}", times) for point, times in sorted(report.points.items())),
        *((f"stream: {kind}", times) for kind, times in sorted(report.injuries.items())),
        ("databases restored", report.restores),
        *((kind, times) for kind, times in sorted(report.others.items())),
        ("commands", report.commands),
        *((f"  {outcome}", times) for outcome, times in sorted(report.outcomes.items())),
        ("events", report.events),
        ("checkpoints that stand", report.checkpoints),
        ("wrong", len(report.wrong)),
    ):
        table.add_row(name, str(number))
    for left_out in report.left_out:
        table.add_row(left_out, "left out")
    return table


if __name__ == "__main__":
    drill()
