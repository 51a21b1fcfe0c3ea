"""What the logs of the drill's processes give away."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from tests.faults.logs import outcries
from tests.faults.town import Restore

BEGAN = datetime(2026, 1, 5, 12, tzinfo=UTC)
ACCEPTED = BEGAN + timedelta(seconds=20)
RESTORE = Restore("intake", 7, uuid4(), uuid4(), frozenset(), BEGAN, ACCEPTED)


def a_log(folder: Path, *lines: dict[str, str]) -> Path:
    """Of the process cases.receiver, as structlog writes it, and with what a killed process leaves at its end."""
    text = "ready cases receiver\n" + "".join(json.dumps(line) + "\n" for line in lines) + '{"event": "part di'
    (folder / "cases.receiver.log").write_text(text)
    return folder


def differs(part: str, at: datetime) -> dict[str, str]:
    return {"part": part, "event": "history differs", "reason": "other leaf", "timestamp": at.isoformat()}


def test_a_part_that_died_or_stopped_is_reported_once_with_how_often(tmp_path: Path) -> None:
    died = {"part": "receiver intake", "event": "part died", "error": "KeyError", "text": "'x'"}
    stopped = {"part": "projection", "event": "stopped", "reason": "Unreadable: no envelope"}
    unsigned = {"part": "checkpoint", "event": "not signed", "reason": "it did not grow"}
    again = {"part": "receiver", "event": "again", "error": "TimeoutError"}
    alone = {"part": "witness", "event": "not signed", "text": "404"}
    assert outcries(a_log(tmp_path, died, again, died, stopped, alone, unsigned), []) == [
        "cases.receiver: receiver intake part died: KeyError: 'x' (2 times)",
        "cases.receiver: projection stopped: Unreadable: no envelope (1 times)",
        "cases.receiver: checkpoint not signed: it did not grow (1 times)",
    ]


def test_a_receiver_may_say_that_histories_differ_until_a_restore_is_accepted(tmp_path: Path) -> None:
    folder = a_log(tmp_path, differs("receiver", BEGAN), differs("receiver", ACCEPTED + timedelta(seconds=5)))
    assert outcries(folder, [RESTORE]) == []
    assert len(outcries(folder, [])) == 1


def test_a_receiver_may_say_so_when_a_stream_of_before_a_restore_came_back_and_its_relay_is_not_there_yet(
    tmp_path: Path,
) -> None:
    came = ACCEPTED + timedelta(minutes=1)
    folder = a_log(tmp_path, differs("receiver", came + timedelta(seconds=5)), differs("relay", came))
    assert len(outcries(folder, [RESTORE])) == 2
    assert outcries(folder, [RESTORE], [(came, came + timedelta(seconds=1))]) == [
        "cases.receiver: relay history differs: other leaf (1 times)"
    ]


def test_nobody_may_say_so_at_another_time_and_a_relay_never(tmp_path: Path) -> None:
    early, late = BEGAN - timedelta(seconds=1), ACCEPTED + timedelta(seconds=30)
    folder = a_log(tmp_path, differs("receiver", early), differs("receiver", late), differs("relay", BEGAN))
    assert outcries(folder, [RESTORE]) == [
        "cases.receiver: receiver history differs: other leaf (2 times)",
        "cases.receiver: relay history differs: other leaf (1 times)",
    ]
