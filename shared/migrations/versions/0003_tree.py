"""The nodes of the tree that tiles of level 1 and higher hold, so that a proof reads a few hundred rows of a log of any length.

Revision ID: 0003
"""

from alembic import op
from sqlalchemy import text

from shared.migrations import run_script
from shared.transparency import tree

revision = "0003"
down_revision = "0002"

NODE = """
CREATE TABLE record.node (
    level int NOT NULL CHECK (level > 0),
    index bigint NOT NULL CHECK (index >= 0),
    hash  bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (level, index)
);
CREATE TRIGGER node_rows BEFORE UPDATE OR DELETE ON record.node FOR EACH ROW EXECUTE FUNCTION record.refuse();
CREATE TRIGGER node_whole BEFORE TRUNCATE ON record.node FOR EACH STATEMENT EXECUTE FUNCTION record.refuse();
GRANT SELECT ON record.node TO {svc}_app;
GRANT SELECT, INSERT ON record.node TO {svc}_log;
"""

LEAVES = text("SELECT leaf FROM record.log ORDER BY position")
KEEP = text("INSERT INTO record.node (level, index, hash) VALUES (:level, :index, :hash)")


def upgrade() -> None:
    service = op.get_context().config.attributes["service"]  # type: ignore[union-attr]
    run_script(NODE.format(svc=service))
    connection = op.get_bind()
    size, frontier = 0, list[bytes]()
    for rows in connection.execute(LEAVES.execution_options(yield_per=10_000)).partitions():
        full: list[tree.Completed] = []
        size, frontier = tree.extend(size, frontier, (row.leaf for row in rows), full)
        if full:
            connection.execute(KEEP, [{"level": level, "index": index, "hash": hash_} for level, index, hash_ in full])


def downgrade() -> None:
    raise NotImplementedError("a database is never taken back a step; restore a backup (docs/operations.md)")
