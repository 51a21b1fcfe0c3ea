"""The kernel's schemas: record (facts, for ever), work (what is under way), view and shadow (read models).

Revision ID: 0001
"""

from alembic import op

from shared.delivery_rows import DELIVERY_DDL
from shared.migrations import run_script

revision = "0001"
down_revision = None

RECORD = """
CREATE SCHEMA record;
CREATE TABLE record.event (
    event_id    uuid PRIMARY KEY,
    stream_id   text NOT NULL,
    version     int NOT NULL CHECK (version > 0),
    type        text NOT NULL,
    body        bytea NOT NULL CHECK (octet_length(body) BETWEEN 1 AND 65535),
    leaf        bytea NOT NULL GENERATED ALWAYS AS (sha256('\\x00'::bytea || body)) STORED,
    ingest_id   bigint NOT NULL GENERATED ALWAYS AS IDENTITY (CACHE 1),
    recorded_at timestamptz NOT NULL,
    UNIQUE (stream_id, version)
);
CREATE TABLE record.log (
    position     bigint PRIMARY KEY CHECK (position > 0),
    event_id     uuid NOT NULL UNIQUE REFERENCES record.event,
    leaf         bytea NOT NULL,
    sequenced_at timestamptz NOT NULL
);
CREATE TABLE record.lineage (
    lineage       uuid PRIMARY KEY,
    parent        uuid,
    from_position bigint NOT NULL,
    from_leaf     bytea,
    since         timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE record.forgotten (
    source      text NOT NULL,
    lineage     uuid NOT NULL,
    shared      bigint NOT NULL,
    accepted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source, lineage, shared)
);
CREATE TABLE record.inbox (
    source   text NOT NULL,
    lineage  uuid NOT NULL,
    position bigint NOT NULL,
    type     text,
    body     bytea NOT NULL,
    PRIMARY KEY (source, lineage, position)
);
CREATE TABLE record.file (
    sha256     text PRIMARY KEY,
    stream_id  text NOT NULL,
    media_type text NOT NULL,
    content    bytea NOT NULL,
    stored_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE FUNCTION record.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on %.%: the record is never changed', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
"""

GUARD = """
CREATE TRIGGER {t}_rows BEFORE UPDATE OR DELETE ON record.{t} FOR EACH ROW EXECUTE FUNCTION record.refuse();
CREATE TRIGGER {t}_whole BEFORE TRUNCATE ON record.{t} FOR EACH STATEMENT EXECUTE FUNCTION record.refuse();
"""

WORK = """
CREATE SCHEMA work;
CREATE TABLE work.pending (ingest_id bigint PRIMARY KEY, event_id uuid NOT NULL)
    WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE TABLE work.head (
    only_one     boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    lineage      uuid NOT NULL,
    position     bigint NOT NULL DEFAULT 0,
    leaf         bytea,
    frontier     bytea NOT NULL DEFAULT '',
    root         bytea,
    sequenced_at timestamptz
) WITH (fillfactor = 50);
CREATE TABLE work.mark (
    follower text NOT NULL,
    source   text NOT NULL,
    lineage  uuid,
    position bigint NOT NULL DEFAULT 0,
    leaf     bytea,
    digest   bytea NOT NULL DEFAULT sha256(''),
    applied  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (follower, source)
) WITH (fillfactor = 50);
CREATE TABLE work.parked (
    parked_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    source    text NOT NULL,
    lineage   uuid NOT NULL,
    position  bigint NOT NULL,
    reaction  text NOT NULL,
    subject   text NOT NULL,
    state     text NOT NULL CHECK (state IN ('parked', 'queued', 'done')),
    reason    text,
    attempts  int NOT NULL DEFAULT 0,
    parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (source, lineage, position, reaction)
);
CREATE INDEX parked_waiting ON work.parked (reaction, subject, source, position) WHERE state <> 'done';
CREATE TABLE work.answer (
    command_id  uuid PRIMARY KEY,
    body_hash   bytea NOT NULL,
    stream_id   text NOT NULL,
    version     int NOT NULL,
    events      uuid[] NOT NULL,
    answered_at timestamptz NOT NULL
);
CREATE TABLE work.due (
    timer   text NOT NULL,
    subject text NOT NULL,
    due_at  timestamptz NOT NULL,
    failed  text,
    PRIMARY KEY (timer, subject)
);
CREATE INDEX due_next ON work.due (due_at) WHERE failed IS NULL;
"""

# The next $most waiting facts, numbered after $after in the order they were drawn. The plan is pinned: with a queue that is
# empty one moment and long the next, the planner's guess would be a scan of everything.
SEQUENCE = """
CREATE FUNCTION work.sequence_batch(after bigint, most int, at timestamptz)
RETURNS TABLE ("position" bigint, leaf bytea) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    RETURN QUERY
    WITH taken AS (
        DELETE FROM work.pending p WHERE p.ingest_id IN (SELECT q.ingest_id FROM work.pending q ORDER BY q.ingest_id LIMIT most)
        RETURNING p.ingest_id, p.event_id
    )
    INSERT INTO record.log AS l (position, event_id, leaf, sequenced_at)
    SELECT after + row_number() OVER (ORDER BY t.ingest_id), t.event_id, e.leaf,
           greatest(at, (SELECT h.sequenced_at FROM work.head h))
    FROM taken t JOIN record.event e USING (event_id)
    RETURNING l.position, l.leaf;
END $$;
"""

GRANTS = """
CREATE SCHEMA view AUTHORIZATION {svc}_app;
CREATE SCHEMA shadow AUTHORIZATION {svc}_app;
GRANT USAGE ON SCHEMA record, work TO {svc}_app, {svc}_log;
GRANT SELECT, INSERT ON record.event, record.inbox, record.file TO {svc}_app;
GRANT SELECT ON record.log, record.lineage, record.forgotten TO {svc}_app;
GRANT SELECT ON record.event TO {svc}_log;
GRANT SELECT, INSERT ON record.log TO {svc}_log;
GRANT SELECT, INSERT ON work.pending TO {svc}_app;
GRANT SELECT, DELETE ON work.pending TO {svc}_log;
GRANT SELECT ON work.head TO {svc}_app;
GRANT SELECT, UPDATE ON work.head TO {svc}_log;
GRANT SELECT, INSERT, UPDATE ON work.mark, work.parked TO {svc}_app;
GRANT SELECT, INSERT ON work.answer TO {svc}_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON work.due TO {svc}_app;
GRANT SELECT, INSERT, UPDATE ON work.delivery TO {svc}_app;
REVOKE ALL ON FUNCTION work.sequence_batch(bigint, int, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION work.sequence_batch(bigint, int, timestamptz) TO {svc}_log;
"""

FIRST = """
INSERT INTO record.lineage (lineage, from_position) VALUES (gen_random_uuid(), 0);
INSERT INTO work.head (lineage) SELECT lineage FROM record.lineage;
"""


def upgrade() -> None:
    service = op.get_context().config.attributes["service"]  # type: ignore[union-attr]
    tables = ("event", "log", "lineage", "forgotten", "inbox", "file")
    run_script(RECORD + "".join(GUARD.format(t=t) for t in tables))
    run_script(WORK + DELIVERY_DDL + SEQUENCE)
    run_script(GRANTS.format(svc=service) + FIRST)


def downgrade() -> None:
    raise NotImplementedError(
        "the record is never taken down; restore a backup under a new lineage (shared/lineage.py)"
    )
