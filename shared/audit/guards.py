"""What keeps a record from being changed: triggers, what they call, and what the service's roles may do; against the migrations.

What there must be is read from the migrations' own statements, so that a new step brings it along.
"""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from shared import migrations
from shared.audit.found import Found
from shared.database import roles_of
from shared.sql import Tx

WRITES = ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "TRIGGER")

ALONE = "SELECT set_config('search_path', 'pg_catalog', true)"
"""So that Postgres writes every name with its schema."""
TRIGGERS = """
SELECT pg_get_triggerdef(g.oid) AS written, g.tgenabled IN ('O', 'A') AS enabled, t.relname || ' ' || g.tgname AS name
FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
WHERE t.relnamespace IN ('record'::regnamespace, 'work'::regnamespace) AND NOT g.tgisinternal
"""
FUNCTIONS = """
SELECT n.nspname || '.' || p.proname AS name, p.prosrc FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname IN ('record', 'work')
"""
RULES = "SELECT schemaname || '.' || tablename AS table, rulename FROM pg_rules WHERE schemaname IN ('record', 'work')"
# Whatever way a role has come to it: by a grant, of a column too, as owner, as a member of another role, as superuser.
RIGHTS = """
SELECT n.nspname || '.' || t.relname AS table, role, privilege
FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace, unnest($1::text[]) AS role, unnest($2::text[]) AS privilege
WHERE n.nspname IN ('record', 'work') AND t.relkind IN ('r', 'p') AND CASE
    WHEN privilege IN ('INSERT', 'UPDATE') THEN has_any_column_privilege(role, t.oid, privilege)
    ELSE has_table_privilege(role, t.oid, privilege) END
"""
# Under "replica" no trigger fires.
REPLICA = """
SELECT role FROM unnest($1::text[]) AS role WHERE has_parameter_privilege(role, 'session_replication_role', 'SET')
UNION ALL SELECT coalesce(r.rolname::text, d.datname::text) FROM pg_db_role_setting s
    LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase
WHERE s.setconfig::text LIKE '%session_replication_role=%' AND s.setdatabase IN (0, (
    SELECT oid FROM pg_database WHERE datname = current_database()))
"""

TRIGGER = re.compile(
    r"CREATE TRIGGER (\S+) (BEFORE|AFTER) ([A-Z ]+) ON (\S+) FOR EACH (ROW|STATEMENT)\s+"
    r"(?:WHEN \((.+?)\)\s+)?EXECUTE FUNCTION ([\w.]+)\(\)"
)
FUNCTION = re.compile(r"CREATE (?:OR REPLACE )?FUNCTION ([\w.]+)\(.*?AS \$\$(.*?)\$\$", re.DOTALL)
TABLE = re.compile(r"CREATE TABLE record\.(\w+)")
GRANT = re.compile(r"GRANT ([A-Z, ]+) ON ((?:record|work)\.[\w., {}]+) TO ([\w, {}]+);")

Trigger = tuple[str | frozenset[str] | None, ...]


@dataclass
class Made:
    """`triggers`: "table name" -> what it does; `functions`: name -> body; `rights`: (table, role, what the role may write)."""

    triggers: dict[str, Trigger] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    rights: set[tuple[str, str, str]] = field(default_factory=set)


def made_by_migrations(service: str) -> Made:
    from alembic.script import ScriptDirectory  # only whoever verifies a living town waits for it

    made = Made()
    for step in reversed(list(ScriptDirectory(str(Path(migrations.__file__).parent)).walk_revisions())):
        texts = [text for text in vars(step.module).values() if isinstance(text, str)]
        tables = [name for text in texts for name in TABLE.findall(text)]
        for statement in (each for text in texts for each in _each(text, tables, service)):
            for match in TRIGGER.finditer(statement):
                name, what = _trigger(match)
                made.triggers[name] = what
            made.functions.update(FUNCTION.findall(statement))
            for privileges, of, to in GRANT.findall(statement):
                made.rights |= {
                    (t, r, p) for t in of.split(", ") for r in to.split(", ") for p in privileges.split(", ")
                }
    return made


def _each(text: str, tables: list[str], service: str) -> Iterator[str]:
    """The text, once for every table of its step where it is about any."""
    of_service = text.replace("{svc}", service)
    yield from (of_service.replace("{t}", table) for table in tables) if "{t}" in text else (of_service,)


def _trigger(match: re.Match[str]) -> tuple[str, Trigger]:
    """("table name", what it does), the same of a statement and of what Postgres makes of it."""
    name, when, events, table, each, condition, function = match.groups()
    plain = re.sub(r"[()\s]|::text", "", condition.lower()) if condition is not None else None
    return f"{table.partition('.')[2]} {name}", (when, frozenset(events.split(" OR ")), table, each, plain, function)


async def faults(tx: Tx, service: str) -> AsyncIterator[Found]:
    """`tx` is for nothing else afterwards."""
    made, roles = made_by_migrations(service), list(roles_of(service)[1:])
    await tx.run(ALONE)
    found: dict[str, Trigger | None] = {}
    for row in await tx.all(TRIGGERS):
        match = TRIGGER.fullmatch(row["written"])
        if row["enabled"]:
            found[row["name"]] = _trigger(match)[1] if match is not None else None
    for name in sorted(made.triggers.keys() | found.keys()):
        guard = name.partition(" ")[2]
        if name not in found:
            yield Found(f"保护触发器 {guard} 被停用或删除", f"the guard {guard} is off or gone")
        elif name not in made.triggers:
            yield Found(f"多出触发器 {guard}", f"the trigger {guard} is none of the record's own")
        elif found[name] != made.triggers[name]:
            yield Found(f"保护触发器 {guard} 被改动", f"the guard {guard} is another than it was made")
    there = [(row["name"], row["prosrc"]) for row in await tx.all(FUNCTIONS)]
    for name, body in made.functions.items():
        if {text for of, text in there if of == name} != {body}:
            yield Found(f"函数 {name} 被改动或删除", f"the function {name} is another than it was made, or gone")
    for row in await tx.all(RULES):
        yield Found(f"{row['table']} 多出规则 {row['rulename']}", f"{row['table']} has a rule, {row['rulename']}")
    for row in await tx.all(RIGHTS, (roles, WRITES)):
        table, role, privilege = row["table"], row["role"], row["privilege"]
        if (table, role, privilege) not in made.rights:
            yield Found(
                f"{role} 对 {table} 有不该有的 {privilege} 权", f"{role} may {privilege} in {table}, and must not"
            )
    for row in await tx.all(REPLICA, (roles,)):
        yield Found(
            f"{row['role']} 可使保护触发器不起作用（session_replication_role）",
            f"for {row['role']} no guard need act (session_replication_role)",
        )
