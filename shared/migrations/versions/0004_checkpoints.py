"""What the signer signed of this log, and who signed it with him: kept before it is shown to anybody.

Revision ID: 0004
"""

from alembic import op

from shared.migrations import run_script

revision = "0004"
down_revision = "0003"

# One root for a size, for ever: the primary key says it here, the signer's own memory says it elsewhere.
TABLES = """
CREATE TABLE record.checkpoint (
    origin    text NOT NULL,
    size      bigint NOT NULL CHECK (size > 0),
    root      bytea NOT NULL CHECK (octet_length(root) = 32),
    note      text NOT NULL,
    signed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (origin, size)
);
CREATE INDEX checkpoint_of_lineage ON record.checkpoint (split_part(origin, '/', 3), size);
CREATE TABLE record.cosignature (
    origin  text NOT NULL,
    size    bigint NOT NULL,
    witness text NOT NULL,
    line    text NOT NULL,
    at      timestamptz NOT NULL,
    PRIMARY KEY (origin, size, witness),
    FOREIGN KEY (origin, size) REFERENCES record.checkpoint
);
CREATE INDEX cosignature_of_witness ON record.cosignature (origin, witness, size);
"""

GUARD = """
CREATE TRIGGER {t}_rows BEFORE UPDATE OR DELETE ON record.{t} FOR EACH ROW EXECUTE FUNCTION record.refuse();
CREATE TRIGGER {t}_whole BEFORE TRUNCATE ON record.{t} FOR EACH STATEMENT EXECUTE FUNCTION record.refuse();
GRANT SELECT, INSERT ON record.{t} TO {svc}_app;
"""


def upgrade() -> None:
    service = op.get_context().config.attributes["service"]  # type: ignore[union-attr]
    run_script(TABLES + "".join(GUARD.format(t=t, svc=service) for t in ("checkpoint", "cosignature")))


def downgrade() -> None:
    raise NotImplementedError("a database is never taken back a step; restore a backup (docs/operations.md)")
