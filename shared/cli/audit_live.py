"""`minewatch audit verify --live`: a town's own databases, streams and read models, each service after the other."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import click

from shared.audit.found import Found
from shared.audit.live import LINEAGES, Kept, verify_inboxes, verify_live, verify_read_models
from shared.cli.programs import opened
from shared.cli.towns import services_at
from shared.ending import ended
from shared.service import Service
from shared.transparency import tiles
from shared.transparency.policy import Policy
from shared.verifier.doubts import doubt
from shared.verifier.export import NO_WITNESS
from shared.verifier.progress import Progress
from shared.verifier.report import DOUBTED, PROVEN
from shared.verifier.trust import Origin, kept, policy_of, without_witness

ONLY_ITS_OWN = (
    "您没有给出自己保存的 {names} 检查点（--known）：整个记录连同检查点退回旧状态，从它自己看不出来",
    "you gave no checkpoint of your own of {names} (--known): a record put back to an older state, checkpoints and all, does "
    "not show it",
)
HEAD = "SELECT position FROM work.head"
LOOK_AGAIN = 0.2


async def verify_town(policy: Path, known: tuple[Path, ...], names: tuple[str, ...], data: Path | None) -> int:
    """Prints what was found; the exit code. Raises Unusable for a policy or a known checkpoint that cannot be used."""
    trusted = policy_of(policy.read_bytes())
    held = [kept(path.read_bytes(), trusted) for path in known]
    doubts, unseen = 0, list[str]()
    async with opened(list(names) or services_at(data), data) as services:
        with Progress() as progress:
            for name, service in services.items():
                mine = [each for each in held if _is_of(each[1], service)]
                doubts += await _one(service, trusted, mine, progress)
                lineages = {str(row["lineage"]) for row in await service.pool.fetch(LINEAGES)}
                if not any(origin.lineage in lineages for _, origin in mine):
                    unseen.append(name)
            async for source, found in verify_inboxes(services):
                doubts += _said(source, found, progress)
            for point, origin in held:
                if not any(_is_of(origin, service) for service in services.values()):
                    one = doubt("known_origin", origin=point.origin)
                    doubts += _said("--known", Found(one.chinese, one.english), progress)
    for zh, en in (*([ONLY_ITS_OWN] if unseen else []), *([NO_WITNESS] if without_witness(trusted) else [])):
        click.echo(f"· 注意 {zh}\n  note {en}".format(names=", ".join(unseen)))
    click.echo(f"结论：有疑点 {doubts} 处\nResult: {doubts} doubts" if doubts else "结论：全部一致\nResult: all agrees")
    return DOUBTED if doubts else PROVEN


def _is_of(origin: Origin, service: Service) -> bool:
    return (origin.town, origin.service) == (service.settings.jurisdiction, service.name)


async def _one(service: Service, policy: Policy, held: list[Kept], progress: Progress) -> int:
    def told(source: str, at: int, end: int) -> None:
        progress.told(f"{service.name} ← {source}", at, end)

    doubts = 0
    with tempfile.TemporaryDirectory(prefix="minewatch-live-") as folder:
        async with _watched(service, Path(folder), progress):
            async for found in verify_live(service, policy, held, Path(folder)):
                doubts += _said(service.name, found, progress)
    async for found in verify_read_models(service, told):
        doubts += _said(service.name, found, progress)
    size = await service.pool.fetchval(HEAD)
    progress.clear()
    click.echo(f"{service.name}: {size:,} 个事件 events，{doubts} 处疑点 doubts")
    return doubts


def _said(about: str, found: Found, progress: Progress) -> int:
    """One doubt."""
    progress.clear()
    click.echo("\n".join(found.lines(about)))
    return 1


@asynccontextmanager
async def _watched(service: Service, folder: Path, progress: Progress) -> AsyncIterator[None]:
    """Tells how much of the log has come, by the files that `verify_live` makes of it."""
    size = await service.pool.fetchval(HEAD)

    async def look() -> None:
        bundles = 0
        while True:
            while (folder / service.name / tiles.path("entries", bundles)).exists():
                bundles += 1
            progress.told(service.name, min(bundles * tiles.WIDTH, size), size)
            await asyncio.sleep(LOOK_AGAIN)

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        await ended([looking])
