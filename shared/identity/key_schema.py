"""The database `keys`: one table, and who may see which of its rows. Each step is run once by keys_owner, in one transaction."""

import asyncpg

KEY_ROLES: tuple[str, ...] = ("keys_office", "keys_police", "keys_custodian")

# Rows are kept apart by row-level security, so a query that forgets an audience still gets none of its keys. The functions run
# as the owner, whom the policies do not bind; each does one thing, and only the custodian's role may call them: to destroy an
# informant's key is also to destroy evidence.
KEYS_DDL = """
CREATE TABLE public.key (
    key_id       uuid PRIMARY KEY,
    service      text NOT NULL,
    subject      text NOT NULL,
    audience     text NOT NULL CHECK (audience IN ('all', 'office', 'police', 'custodian')),
    stream_id    text NOT NULL,
    wrapped      bytea,
    sealing      boolean NOT NULL,
    made_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    retired_at   timestamptz,
    destroyed_at timestamptz,
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL)),
    CHECK (NOT sealing OR (retired_at IS NULL AND destroyed_at IS NULL))
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 0);
COMMENT ON COLUMN public.key.stream_id IS 'where the key was first used';
COMMENT ON COLUMN public.key.sealing IS 'further texts about the subject are sealed with this key';
COMMENT ON COLUMN public.key.wrapped IS 'the key under the master key; null once destroyed, and vacuumed soon after';
CREATE UNIQUE INDEX key_sealing ON public.key (subject, audience) WHERE sealing;
CREATE INDEX key_subject ON public.key (subject);
CREATE INDEX key_stream ON public.key (service, stream_id);

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO CURRENT_USER, keys_office, keys_police, keys_custodian;
GRANT SELECT ON public.key TO keys_office, keys_police, keys_custodian;
GRANT INSERT (key_id, service, subject, audience, stream_id, wrapped, sealing) ON public.key
    TO keys_office, keys_police, keys_custodian;

ALTER TABLE public.key ENABLE ROW LEVEL SECURITY;
CREATE POLICY office_sees ON public.key FOR SELECT TO keys_office USING (audience IN ('all', 'office'));
CREATE POLICY police_sees ON public.key FOR SELECT TO keys_police USING (audience IN ('all', 'police'));
CREATE POLICY custodian_sees ON public.key FOR SELECT TO keys_custodian USING (audience IN ('all', 'custodian'));
CREATE POLICY police_makes ON public.key FOR INSERT TO keys_police WITH CHECK (audience IN ('all', 'police'));
CREATE POLICY custodian_makes ON public.key FOR INSERT TO keys_custodian WITH CHECK (audience IN ('all', 'custodian'));
-- The office seals for others too, but may not plant the key that others will go on sealing with.
CREATE POLICY office_makes ON public.key FOR INSERT TO keys_office
    WITH CHECK (audience IN ('all', 'office') OR NOT sealing);

CREATE FUNCTION public.erase_subject(of_subject text) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    WITH erased AS (
        UPDATE public.key SET wrapped = NULL, sealing = false, destroyed_at = clock_timestamp()
        WHERE subject = of_subject AND wrapped IS NOT NULL
        RETURNING key_id
    )
    SELECT count(*)::integer FROM erased
$$;

CREATE FUNCTION public.streams_with_keys(of_service text, older_than interval) RETURNS SETOF text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT DISTINCT stream_id FROM public.key
    WHERE service = of_service AND made_at < now() - older_than AND destroyed_at IS NULL
        AND (subject = stream_id OR NOT sealing)
$$;

CREATE FUNCTION public.sweep_keys(of_service text, streams text[], older_than interval) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    WITH orphan AS (
        SELECT key_id, retired_at FROM public.key
        WHERE service = of_service AND stream_id = ANY(streams) AND made_at < now() - older_than
            AND destroyed_at IS NULL AND (subject = stream_id OR NOT sealing)
    ), retired AS (
        UPDATE public.key SET sealing = false, retired_at = now()
        WHERE key_id IN (SELECT key_id FROM orphan WHERE retired_at IS NULL)
    ), swept AS (
        DELETE FROM public.key WHERE key_id IN (SELECT key_id FROM orphan WHERE retired_at < now() - older_than)
        RETURNING key_id
    )
    SELECT count(*)::integer FROM swept
$$;

REVOKE ALL ON FUNCTION public.erase_subject(text), public.streams_with_keys(text, interval),
    public.sweep_keys(text, text[], interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.erase_subject(text), public.streams_with_keys(text, interval),
    public.sweep_keys(text, text[], interval) TO keys_custodian;
"""

# A second step, for databases of both ages: who was erased gets no key again, or a text that was under way when the keys were
# destroyed would open for ever. Writers of one subject hold its lock together, an erasure holds it alone, so that neither slips
# past the other. A stream may go on after its texts were erased: there the subject is the stream itself.
ERASED_FOR_GOOD_DDL = """
CREATE FUNCTION public.refuse_the_erased() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF NEW.subject <> NEW.stream_id THEN
        PERFORM pg_advisory_xact_lock_shared(hashtextextended(NEW.subject, 0));
        IF EXISTS (SELECT FROM public.key WHERE subject = NEW.subject AND destroyed_at IS NOT NULL) THEN
            RAISE check_violation USING CONSTRAINT = 'key_of_the_erased', MESSAGE = 'the subject was erased';
        END IF;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER refuse_the_erased BEFORE INSERT ON public.key
    FOR EACH ROW EXECUTE FUNCTION public.refuse_the_erased();
REVOKE ALL ON FUNCTION public.refuse_the_erased() FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.erase_subject(of_subject text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    erased integer;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(of_subject, 0));
    UPDATE public.key SET wrapped = NULL, sealing = false, destroyed_at = clock_timestamp()
    WHERE subject = of_subject AND wrapped IS NOT NULL;
    GET DIAGNOSTICS erased = ROW_COUNT;
    RETURN erased;
END
$$;
"""

# A third step: destroyed keys' bytes leave the table's file as well (clearing.py), and a crash in between is seen. To Postgres,
# writing a table anew is maintaining it, which may be granted since version 17.
CLEARING_DDL = """
CREATE TABLE public.cleared (up_to timestamptz NOT NULL);
COMMENT ON TABLE public.cleared IS 'keys that were destroyed until then are in no file of public.key any more';
GRANT MAINTAIN ON public.key TO CURRENT_USER, keys_custodian;
CREATE FUNCTION public.uncleared() RETURNS timestamptz
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT clock_timestamp() WHERE EXISTS (
        SELECT FROM public.key
        WHERE destroyed_at > coalesce((SELECT max(up_to) FROM public.cleared), '-infinity')
    )
$$;
CREATE FUNCTION public.note_cleared(until timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$ INSERT INTO public.cleared VALUES (until) $$;
REVOKE ALL ON FUNCTION public.uncleared(), public.note_cleared(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.uncleared(), public.note_cleared(timestamptz) TO keys_custodian;
COMMENT ON COLUMN public.key.wrapped IS 'the key under the master key; null once destroyed, and then written anew';
"""

# A fourth step: of a stream that goes on, what was erased are the keys it had until then. The record names them, so that doing it
# again destroys these and none that came later. The custodian's role sees no row of the office's; here it learns ids alone.
ERASED_ONE_BY_ONE_DDL = """
CREATE FUNCTION public.erased_keys(of_subject text) RETURNS uuid[]
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT coalesce(array_agg(key_id ORDER BY key_id), '{}') FROM public.key
    WHERE subject = of_subject AND destroyed_at IS NOT NULL
$$;

CREATE FUNCTION public.erase_keys(ids uuid[]) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    WITH erased AS (
        UPDATE public.key SET wrapped = NULL, sealing = false, destroyed_at = clock_timestamp()
        WHERE key_id = ANY(ids) AND wrapped IS NOT NULL
        RETURNING key_id
    )
    SELECT count(*)::integer FROM erased
$$;
REVOKE ALL ON FUNCTION public.erased_keys(text), public.erase_keys(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.erased_keys(text), public.erase_keys(uuid[]) TO keys_custodian;
"""

# A fifth step: whoever verifies a record names the ids that stand in it, and learns which of them open nothing any more. No role
# sees the rows of all audiences; nor does this show one.
LOST_DDL = """
CREATE FUNCTION public.lost_keys(ids uuid[]) RETURNS uuid[]
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT coalesce(array_agg(id), '{}') FROM unnest(ids) AS id
    WHERE NOT EXISTS (SELECT FROM public.key WHERE key_id = id AND wrapped IS NOT NULL)
$$;
REVOKE ALL ON FUNCTION public.lost_keys(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.lost_keys(uuid[]) TO keys_office;
"""

# A sixth step. A stream that goes on is written in while its keys go: first they are retired, all at once and for one erasure, by
# its name; they still open, and nothing more is sealed with them. What is cleared is told by the destruction itself, not by a
# moment before or after it, so that a clock set back hides nothing.
RETIRED_FIRST_DDL = """
ALTER TABLE public.key ADD COLUMN erasure text, ADD COLUMN cleared timestamptz;
COMMENT ON COLUMN public.key.erasure IS 'for which erasure it was retired';
COMMENT ON COLUMN public.key.cleared IS 'the destruction after which the table was written anew: its destroyed_at';
CREATE INDEX key_uncleared ON public.key (key_id) WHERE destroyed_at IS NOT NULL AND cleared IS DISTINCT FROM destroyed_at;
DROP FUNCTION public.uncleared(), public.note_cleared(timestamptz);
DROP TABLE public.cleared;
DROP FUNCTION public.erased_keys(text);

CREATE FUNCTION public.retire_keys(subjects text[], for_erasure text) RETURNS TABLE (subject text, key_id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM public.key k WHERE k.erasure = for_erasure) THEN
        UPDATE public.key k
        SET sealing = false, retired_at = coalesce(k.retired_at, clock_timestamp()), erasure = for_erasure
        WHERE k.subject = ANY(subjects) AND k.wrapped IS NOT NULL;
    END IF;
    RETURN QUERY SELECT k.subject, k.key_id FROM public.key k WHERE k.erasure = for_erasure ORDER BY k.key_id;
END
$$;
CREATE FUNCTION public.uncleared() RETURNS uuid[]
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT coalesce(array_agg(key_id), '{}') FROM public.key
    WHERE destroyed_at IS NOT NULL AND cleared IS DISTINCT FROM destroyed_at
$$;
CREATE FUNCTION public.note_cleared(ids uuid[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    UPDATE public.key SET cleared = destroyed_at WHERE key_id = ANY(ids)
$$;
REVOKE ALL ON FUNCTION public.retire_keys(text[], text), public.uncleared(), public.note_cleared(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.retire_keys(text[], text), public.uncleared(), public.note_cleared(uuid[])
    TO keys_custodian;
"""

# A seventh step: Postgres takes no samples of wrapped keys, for these outlive the row in pg_statistic. Changing a column's type,
# even to the one it has, drops what was taken.
UNSAMPLED_DDL = """
ALTER TABLE public.key ALTER COLUMN wrapped TYPE bytea;
ALTER TABLE public.key ALTER COLUMN wrapped SET STATISTICS 0;
"""
SAMPLED = """
SELECT attstattarget IS DISTINCT FROM 0 FROM pg_attribute WHERE attrelid = 'public.key'::regclass AND attname = 'wrapped'
"""


async def make_schema(connection: asyncpg.Connection) -> None:
    """Whatever step is missing; as keys_owner."""
    if not await connection.fetchval("SELECT to_regclass('public.key') IS NOT NULL"):
        await connection.execute(KEYS_DDL)
    if not await connection.fetchval("SELECT to_regproc('public.refuse_the_erased') IS NOT NULL"):
        await connection.execute(ERASED_FOR_GOOD_DDL)
    if not await connection.fetchval("SELECT to_regproc('public.uncleared') IS NOT NULL"):
        await connection.execute(CLEARING_DDL)
    if not await connection.fetchval("SELECT to_regproc('public.erase_keys') IS NOT NULL"):
        await connection.execute(ERASED_ONE_BY_ONE_DDL)
    if not await connection.fetchval("SELECT to_regproc('public.lost_keys') IS NOT NULL"):
        await connection.execute(LOST_DDL)
    if not await connection.fetchval("SELECT to_regproc('public.retire_keys') IS NOT NULL"):
        await connection.execute(RETIRED_FIRST_DDL)
    if await connection.fetchval(SAMPLED):
        await connection.execute(UNSAMPLED_DDL)
