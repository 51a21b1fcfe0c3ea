"""A database that a test gives back is lent to the next one as new, or not at all."""

import asyncpg
import pytest

from tests.support.kernel import Templates, a_place
from tests.support.services import Ground, a_service

SEEN = """
SELECT (SELECT count(*) FROM record.event), (SELECT count(*) FROM record.log), (SELECT position FROM work.head),
    (SELECT count(*) FROM work.mark), (SELECT count(*) FROM record.lineage), (SELECT count(*) FROM public.schema_version),
    (SELECT array_agg(relname ORDER BY relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'view'::regnamespace)
"""
CHANGES = [
    "REVOKE SELECT ON public.schema_version FROM cases_app",
    "ALTER TABLE record.event DISABLE TRIGGER ALL",
    "DROP INDEX {index}",
    "ALTER TABLE work.mark ADD COLUMN more int",
    "COMMENT ON TABLE work.mark IS 'changed'",
    "GRANT EXECUTE ON FUNCTION work.sequence_batch(bigint, int, timestamptz) TO PUBLIC",
]


async def seen(templates: Templates, name: str) -> tuple[object, ...]:
    connection = await asyncpg.connect(templates.dsn(name))
    try:
        return tuple(await connection.fetchrow(SEEN))
    finally:
        await connection.close()


async def test_what_was_written_is_gone(templates: Templates) -> None:
    name = await templates.lend("cases")
    fresh = await seen(templates, name)
    await templates.give_back("cases", name)
    async with a_place(templates, sealed=False) as place:
        assert place.database == name
        await place.fill(20)
        await place.number()
        assert await seen(templates, name) != fresh
    assert await seen(templates, name) == fresh


async def test_what_the_adoption_of_a_plan_had_written_is_there_again(ground: Ground) -> None:
    adopted, _ = await ground.adopted("zhenchengdi-2018.yaml")
    before = await seen(ground.templates, adopted)
    async with a_service(ground, "cases") as town:
        name = town.services["cases"].settings.app_dsn.rsplit("/", 1)[1]
        place = {"name": "河湾采石场", "village": "140181101207", "category": "abandoned_shaft"}
        await town.post("/cases/v1/sites", place, town.headers("clerk"))
        await town.settled()
        assert await seen(ground.templates, name) != before
    assert await seen(ground.templates, name) == before


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: " ".join(change.split()[:3]))
async def test_one_of_which_more_than_rows_was_changed_is_thrown_away(templates: Templates, change: str) -> None:
    name = await templates.lend("cases")
    index = "SELECT indexname FROM pg_indexes WHERE schemaname = 'work' AND indexname !~ 'key$' LIMIT 1"
    connection = await asyncpg.connect(templates.dsn(name))
    try:
        await connection.execute(change.format(index=f"work.{await connection.fetchval(index)}"))
    finally:
        await connection.close()
    await templates.give_back("cases", name)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await seen(templates, name)
