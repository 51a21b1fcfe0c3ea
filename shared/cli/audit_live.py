"""`minewatch audit verify --live`: a town's own databases, streams and read models, each service after the other."""

import tempfile
from pathlib import Path

import click

from shared.audit.live import Kept, verify_inboxes, verify_live, verify_read_models
from shared.cli.programs import opened
from shared.cli.towns import services_at
from shared.service import Service
from shared.transparency.policy import Policy
from shared.verifier.export import NO_WITNESS
from shared.verifier.report import DOUBTED, PROVEN
from shared.verifier.trust import kept, policy_of, without_witness

ONLY_ITS_OWN = (
    "您没有给出自己保存的检查点（--known）：整个记录连同检查点退回旧状态，从它自己看不出来",
    "you gave no checkpoint of your own (--known): a record put back to an older state, checkpoints and all, does not show it",
)


async def verify_town(policy: Path, known: tuple[Path, ...], names: tuple[str, ...], data: Path | None) -> int:
    """Prints what was found; the exit code. Raises Unusable for a policy or a known checkpoint that cannot be used."""
    trusted = policy_of(policy.read_bytes())
    held = [kept(path.read_bytes(), trusted) for path in known]
    doubts = 0
    async with opened(list(names) or services_at(data), data) as services:
        for name, service in services.items():
            doubts += await _one(service, trusted, [each for each in held if each[1].service == name])
        async for source, found in verify_inboxes(services):
            doubts += 1
            click.echo("\n".join(found.lines(source)))
    for zh, en in (*([] if held else [ONLY_ITS_OWN]), *([NO_WITNESS] if without_witness(trusted) else [])):
        click.echo(f"· 注意 {zh}\n  note {en}")
    click.echo(f"结论：有疑点 {doubts} 处\nResult: {doubts} doubts" if doubts else "结论：全部一致\nResult: all agrees")
    return DOUBTED if doubts else PROVEN


async def _one(service: Service, policy: Policy, held: list[Kept]) -> int:
    doubts = 0
    with tempfile.TemporaryDirectory(prefix="minewatch-live-") as folder:
        for checks in (verify_live(service, policy, held, Path(folder)), verify_read_models(service)):
            async for found in checks:
                doubts += 1
                click.echo("\n".join(found.lines(service.name)))
    size = await service.pool.fetchval("SELECT position FROM work.head")
    click.echo(f"{service.name}: {size:,} 个事件 events，{doubts} 处疑点 doubts")
    return doubts
