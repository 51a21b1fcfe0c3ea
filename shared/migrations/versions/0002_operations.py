"""What operating a service needs: dismissed reactions, done work that may be thrown away, the step a database is at.

Revision ID: 0002
"""

from alembic import op

from shared.migrations import run_script

revision = "0002"
down_revision = "0001"

# A dismissal is a person's decision that something will not be done; like the record, it stays as it was made.
WORK = """
ALTER TABLE work.parked ADD COLUMN dismissed_by text, ADD COLUMN dismissed_at timestamptz, ADD COLUMN dismissed_because text,
    ADD CONSTRAINT parked_dismissal CHECK (
        num_nonnulls(dismissed_by, dismissed_at, dismissed_because) IN (0, 3) AND (dismissed_by IS NULL OR state = 'done'));
CREATE INDEX parked_dismissed ON work.parked (dismissed_at) WHERE dismissed_by IS NOT NULL;
CREATE INDEX due_failed ON work.due (timer) WHERE failed IS NOT NULL;
CREATE FUNCTION work.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on %.%: it still waits, or a person decided it', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER parked_decided BEFORE UPDATE OR DELETE ON work.parked FOR EACH ROW
    WHEN (OLD.dismissed_by IS NOT NULL) EXECUTE FUNCTION work.refuse();
CREATE TRIGGER parked_waits BEFORE DELETE ON work.parked FOR EACH ROW
    WHEN (OLD.state <> 'done') EXECUTE FUNCTION work.refuse();
CREATE TRIGGER delivery_waits BEFORE DELETE ON work.delivery FOR EACH ROW
    WHEN (OLD.state <> 'done') EXECUTE FUNCTION work.refuse();
"""

GRANTS = """
GRANT DELETE ON work.answer, work.parked, work.delivery TO {svc}_app;
GRANT SELECT ON public.schema_version TO {svc}_app;
"""


def upgrade() -> None:
    service = op.get_context().config.attributes["service"]  # type: ignore[union-attr]
    run_script(WORK + GRANTS.format(svc=service))


def downgrade() -> None:
    raise NotImplementedError("a database is never taken back a step; restore a backup (docs/operations.md)")
