"""What is done to the copy of a sound town's database, and which check must say what of it: one line for each fault.

Written with triggers and foreign keys off. `name` is that of the test.
"""

from dataclasses import dataclass

MIDDLE = "(SELECT max(position) / 2 FROM record.log)"
LAST = "(SELECT max(position) FROM record.log)"
OF_MIDDLE = f"(SELECT event_id FROM record.log WHERE position = {MIDDLE})"
A_LETTER = "(SELECT min(position) FROM record.inbox WHERE source = 'intake')"


@dataclass(frozen=True)
class Doctored:
    """`statement` in the database of `service`; a line of `check` then holds `words`."""

    name: str
    service: str
    check: str
    words: str
    statement: str


def cause_of(table: str) -> str:
    """SQL: the causation id in the body of a row."""
    text = f"convert_from({table}.body, 'UTF8')"
    return f"substr({text}, position('causationid' in {text}) + 14, 36)"


def says(table: str, old: str, new: str, where: str) -> str:
    """The bodies say `new` where they said `old`; both SQL."""
    text = f"convert_to(replace(convert_from(e.body, 'UTF8'), {old}, {new}), 'UTF8')"
    return f"UPDATE record.{table} e SET body = {text} WHERE {where}"


def not_in_log(type_: str) -> str:
    """All events of the type lose their positions."""
    return f"DELETE FROM record.log l USING record.event e WHERE l.event_id = e.event_id AND e.type LIKE '%{type_}%'"


SPACE = "'}'", "' }'"
"""A blank in the bytes: the same facts, another event."""
FIRST_CAUSE = f"(SELECT {cause_of('f')} FROM record.event f WHERE f.stream_id = e.stream_id AND f.version = 1)"
SWAPPED = """
ALTER TABLE record.log DROP CONSTRAINT log_event_id_key;
UPDATE record.log l SET event_id = CASE l.event_id WHEN a.event_id THEN b.event_id ELSE a.event_id END
FROM record.event a JOIN record.event b USING (stream_id)
WHERE a.version = 1 AND b.version = 2 AND l.event_id IN (a.event_id, b.event_id)
"""
TWICE = """
ALTER TABLE record.log DROP CONSTRAINT log_event_id_key;
UPDATE record.log SET event_id = (SELECT event_id FROM record.event WHERE type LIKE '%hazard.listed%' LIMIT 1)
WHERE event_id IN (SELECT event_id FROM record.event WHERE type LIKE '%three_fix_ordered%')
"""
PARKED = """
INSERT INTO work.parked (source, lineage, position, reaction, subject, state)
SELECT source, lineage, position, 'list_from_tip', 'tip-1', 'parked' FROM record.inbox LIMIT 1
"""
SECOND_LINEAGE = """
INSERT INTO record.inbox SELECT source, gen_random_uuid(), position, type, body FROM record.inbox
"""

OTHERS_LINE = """
UPDATE record.checkpoint c SET note = split_part(c.note, E'\\n\\n', 1) || E'\\n\\n' || (
    SELECT split_part(o.note, E'\\n\\n', 2) FROM record.checkpoint o WHERE o.size <> c.size LIMIT 1)
"""

DOCTORED = [
    Doctored("a position is missing", "intake", "log", "are not there", f"DELETE FROM record.log WHERE position = {MIDDLE}"),
    Doctored("an event is in no queue", "intake", "log", "waits for none", f"DELETE FROM record.log WHERE position = {LAST}"),
    Doctored(
        "a row still waits", "intake", "log", "1 rows wait",
        f"INSERT INTO work.pending SELECT 1, event_id FROM record.log WHERE position = {MIDDLE}",
    ),
    Doctored("an event has two positions", "cases", "log", "that have two positions", TWICE),
    Doctored("the head is elsewhere", "intake", "log", "the head is", "UPDATE work.head SET position = position - 1"),
    Doctored("another root", "intake", "log", "the tree's root", "UPDATE work.head SET root = sha256('')"),
    Doctored(
        "another leaf in the log", "intake", "log", "its leaf is not",
        f"UPDATE record.log SET leaf = sha256('') WHERE position = {MIDDLE}",
    ),
    Doctored(
        "a row that differs from its bytes", "intake", "log", "something else than its bytes",
        f"UPDATE record.event SET type = 'x' WHERE event_id = {OF_MIDDLE}",
    ),
    Doctored(
        "time goes back", "intake", "log", "goes back",
        f"UPDATE record.log SET sequenced_at = 'epoch' WHERE position = {MIDDLE}",
    ),
    Doctored("version 2 before 1", "intake", "log", "version 2 after 0", SWAPPED),
    Doctored("a broken chain", "intake", "log", "prev is not the leaf", says("event", *SPACE, "e.version = 1")),
    Doctored(
        "a message of another event", "intake", "stream", "is another event than",
        says("event", *SPACE, f"e.event_id = {OF_MIDDLE}"),
    ),
    Doctored(
        "a stream beyond the log", "intake", "stream", "stands there, the log ends",
        f"DELETE FROM record.log WHERE position = {LAST}",
    ),
    Doctored(
        "a stream of another lineage", "intake", "stream", "other headers than",
        "UPDATE work.head SET lineage = gen_random_uuid()",
    ),
    Doctored(
        "a letter is missing", "cases", "inbox", "is missing",
        f"DELETE FROM record.inbox WHERE source = 'intake' AND position = {A_LETTER}",
    ),
    Doctored(
        "a letter nobody published", "cases", "inbox", "0 was never published",
        f"UPDATE record.inbox SET position = 0 WHERE source = 'intake' AND position = {A_LETTER}",
    ),
    Doctored("another letter", "cases", "inbox", "is another event than", says("inbox", *SPACE, "e.source = 'intake'")),
    Doctored("a letter of two pasts", "cases", "inbox", "stands there twice", SECOND_LINEAGE),
    Doctored(
        "another checksum", "cases", "inbox", "checksum or leaf",
        "UPDATE work.mark SET digest = sha256('x') WHERE follower = 'receiver'",
    ),
    Doctored(
        "a receiver behind", "cases", "inbox", "the mark is",
        "UPDATE work.mark SET position = position - 1 WHERE follower = 'receiver'",
    ),
    Doctored(
        "no receiver", "cases", "inbox", "nothing was ever received", "DELETE FROM work.mark WHERE follower = 'receiver'"
    ),
    Doctored(
        "a reactor behind", "cases", "marks", "reactions of intake is at",
        "UPDATE work.mark SET position = position - 1 WHERE follower = 'reactions'",
    ),
    Doctored(
        "an event that is neither applied nor parked", "cases", "marks", "applied and 0 wait, of",
        "UPDATE work.mark SET applied = applied - 1 WHERE follower = 'reactions'",
    ),
    Doctored(
        "a projection that counts too much", "notify", "marks", "projection:watch of",
        "UPDATE work.mark SET applied = applied + 1 WHERE follower = 'projection:watch'",
    ),
    Doctored(
        "a projection that never began", "notify", "marks", "projection:plan of cases is at 0",
        "DELETE FROM work.mark WHERE follower = 'projection:plan'",
    ),
    Doctored("something parked", "cases", "marks", "list_from_tip of intake", PARKED),
    Doctored("an acknowledged command is gone", "cases", "commands", "events are not in the log", not_in_log("three_fix")),
    Doctored(
        "a command was carried out twice", "notify", "once", "recorded twice in message-",
        says("event", cause_of("e"), FIRST_CAUSE, "e.version = 3"),
    ),
    Doctored(
        "an event of somebody who asked for nothing", "cases", "causes", "nobody asked for (p-clerk-1)",
        says("event", "'system:cases'", "'p-clerk-1'", "e.type LIKE '%hazard.listed%'"),
    ),
    Doctored(
        "an event without a cause", "cases", "causes", "nobody asked for (system:cases)",
        says("event", cause_of("e"), "gen_random_uuid()::text", "e.type LIKE '%hazard.listed%'"),
    ),
    Doctored(
        "an attempt that was never made", "notify", "causes", "attempt_succeeded",
        says("event", "'\"attempt\":1'", "'\"attempt\":7'", "e.type LIKE '%attempt_succeeded%'"),
    ),
    Doctored("a find that is no hazard", "cases", "hazards", "is no hazard", not_in_log("hazard.listed")),
    Doctored(
        "a hazard nobody found", "cases", "hazards", "was never found, and is a hazard",
        says("event", "'\"ref\":\"'", "'\"ref\":\"no-'", "e.type LIKE '%hazard.%'"),
    ),
    Doctored("one find, two hazards", "cases", "hazards", " hazards", TWICE),
    Doctored("nobody was told to do it", "notify", "messages", "(assignment)", not_in_log("message.issued")),
    Doctored("nobody was told of the report", "notify", "messages", "(report_opened)", not_in_log("message.issued")),
    Doctored("nobody was told it is late", "notify", "messages", "(overdue)", not_in_log("message.issued")),
    Doctored("nobody was asked to look", "notify", "messages", "(acceptance_wanted)", not_in_log("message.issued")),
    Doctored("nobody was called", "notify", "messages", "(live_call_out)", not_in_log("message.issued")),
    Doctored("a report was not opened", "reporting", "messages", "was ever opened", not_in_log("weekly_report.opened")),
    Doctored("a way out without a row", "notify", "deliveries", "has no row", "DELETE FROM work.delivery"),
    Doctored(
        "a delivery nobody asked for", "notify", "deliveries", "was never asked for",
        "UPDATE work.delivery SET delivery_id = gen_random_uuid()",
    ),
    Doctored(
        "dead in silence", "notify", "deliveries", "it is dead after 1 attempts, and was said to be dead after []",
        "UPDATE work.delivery SET state = 'dead'",
    ),
    Doctored(
        "said to be dead, and is not", "notify", "deliveries", "and was said to be dead after [1]",
        ";".join(
            says("event", old, new, "e.type LIKE '%attempt_succeeded%'")
            for old, new in (("'attempt_succeeded'", "'dead_lettered'"), ("'\"attempt\"'", "'\"attempts\"'"))
        ),
    ),
    Doctored(
        "given up too soon", "notify", "deliveries", "it is dead after 1 attempts, and failed last with smtp_451",
        "UPDATE work.delivery SET state = 'dead', last_error = 'smtp_451'",
    ),
    Doctored(
        "refused for good, and tried again", "notify", "deliveries", "it is open after 1 attempts, and failed last with smtp_550",
        "UPDATE work.delivery SET state = 'open', last_error = 'smtp_550'",
    ),
    Doctored(
        "a refusal that never was", "notify", "mail", "was refused for good, says its row, and never was",
        "UPDATE work.delivery SET state = 'dead', last_error = 'smtp_550'",
    ),
    Doctored(
        "an attempt without its event", "notify", "deliveries", "attempts, started were",
        "UPDATE work.delivery SET attempts = attempts + 1",
    ),
    Doctored(
        "sent, and open still", "notify", "deliveries", "it is open, and succeeded 1 times",
        "UPDATE work.delivery SET state = 'open'",
    ),
    Doctored(
        "nobody sends it", "notify", "deliveries", "and nobody sends it",
        "UPDATE work.delivery SET state = 'open', next_at = clock_timestamp() - interval '1 minute'",
    ),
    Doctored("a checkpoint signed by nobody", "intake", "signed", "does not fit", OTHERS_LINE),
    Doctored(
        "a checkpoint of another root", "intake", "signed", "has another root than the log",
        says("event", *SPACE, "e.version = 1"),
    ),
    Doctored(
        "a checkpoint that says what it did not", "intake", "signed", "says something else than its row",
        "UPDATE record.checkpoint SET root = sha256('x')",
    ),
    Doctored(
        "a checkpoint that the signer did not sign", "intake", "signed", "is not what the signer remembers",
        "UPDATE record.checkpoint SET size = size - 1 WHERE size > 1",  # the first may be of one event
    ),
    Doctored(
        "the newest checkpoint is gone", "intake", "signed", "signed up to",
        "DELETE FROM record.checkpoint WHERE size = (SELECT max(size) FROM record.checkpoint)",
    ),
    Doctored(
        "a log shorter than its checkpoint", "intake", "signed", "is beyond the log",
        f"DELETE FROM record.log WHERE position = {LAST}",
    ),
    Doctored("no witness's line", "intake", "signed", "no witness ever signed", "DELETE FROM record.cosignature"),
    Doctored(
        "a witness's line under nothing", "intake", "signed", "is under no checkpoint",
        "UPDATE record.cosignature SET size = size + 1",
    ),
    Doctored(
        "another's line", "intake", "signed", "is not its own",
        "UPDATE record.cosignature SET line = replace(line, 'police', 'robber')",
    ),
]  # fmt: skip
