"""Appending, played at random against a dictionary: streams, versions, inline rows, answers, and the log behind them."""

import asyncio
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from shared.app import Answer, Cause
from shared.decider import Command
from shared.errors import IdempotencyMismatch, Refusal, StreamExists, StreamNotFound, UniqueConflict, VersionConflict
from tests.support import machines
from tests.support.kernel import Place, Templates, a_cause, a_place, a_sequencer
from tests.support.toy import Assign, OpenSite, Strike, Struck

SITES = st.sampled_from(["a", "b", "c", "d"])
NUMBERS = st.integers(1, 3)
"""Reserved by the first site that takes it."""


class Store(machines.Machine):
    """The model: stream -> its event types in order, number -> the stream that reserved it, and every answer given."""

    place: Place

    def __init__(self, templates: Templates) -> None:
        super().__init__()
        self.templates = templates
        self.streams: dict[str, list[str]] = {}
        self.numbers: dict[int, str] = {}
        self.answered: list[tuple[Command, Cause, Answer]] = []

    @initialize()
    def begin(self) -> None:
        self.place = self.do(self.open.enter_async_context(a_place(self.templates, sealed=False)))

    def events_of(self, command: Command) -> list[str] | type[Exception]:
        """What the toy's rules make of it: new types, or the refusal."""
        history = self.streams.get(command.stream_id, [])
        match command:
            case OpenSite():
                if history:
                    return StreamExists
                return UniqueConflict if self.numbers.get(command.no, command.stream_id) != command.stream_id else ["o"]
            case Assign():
                if not history or history[0] != "o":
                    return StreamNotFound if "o" not in history else Struck
                return Struck if "s" in history else ["k"] * command.times
        return [] if "s" in history else ["s"]

    def happened(self, command: Command, cause: Cause, answer: Answer, events: list[str]) -> None:
        if isinstance(command, OpenSite):
            self.numbers[command.no] = command.stream_id
        self.streams.setdefault(command.stream_id, []).extend(events)
        if not self.streams[command.stream_id]:
            del self.streams[command.stream_id]
        assert (answer.version, len(answer.events)) == (len(self.streams.get(command.stream_id, [])), len(events))
        self.answered.append((command, cause, answer))

    def send(self, command: Command, expected: int | None = None) -> None:
        cause, known = a_cause(expected_version=expected), len(self.streams.get(command.stream_id, []))
        wanted = VersionConflict if expected not in (None, known) else self.events_of(command)
        try:
            answer = self.do(self.place.app.handle(command, cause))
        except (Refusal, VersionConflict) as refused:
            assert type(refused) is wanted
            return
        assert isinstance(wanted, list)
        self.happened(command, cause, answer, wanted)

    @rule(site=SITES, no=NUMBERS)
    def open_a_site(self, site: str, no: int) -> None:
        if "s" not in self.streams.get(f"site-{site}", []):
            self.send(OpenSite(site=site, no=no))

    @rule(site=SITES, times=st.integers(1, 4))
    def assign(self, site: str, times: int) -> None:
        self.send(Assign(site=site, times=times))

    @rule(site=SITES, off=st.integers(-1, 1))
    def assign_expecting_a_version(self, site: str, off: int) -> None:
        self.send(Assign(site=site), len(self.streams.get(f"site-{site}", [])) + off)

    @rule(site=SITES)
    def strike(self, site: str) -> None:
        if self.streams.get(f"site-{site}"):
            self.send(Strike(site=site))

    @precondition(lambda self: self.answered)
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        """The first answer, and nothing more."""
        command, cause, answer = data.draw(st.sampled_from(self.answered))
        again = self.do(self.place.app.handle(command, cause))
        assert again.repeated and (again.version, again.events) == (answer.version, answer.events)

    @precondition(lambda self: self.answered)
    @rule(data=st.data())
    def send_other_content_under_a_used_id(self, data: st.DataObject) -> None:
        command, cause, _ = data.draw(st.sampled_from(self.answered))
        other = Cause(cause.command_id, cause.actor, cause.correlation_id, b"other")
        try:
            self.do(self.place.app.handle(command, other))
        except IdempotencyMismatch:
            return
        raise AssertionError("taken")

    @rule(site=SITES, writers=st.integers(2, 5))
    def many_expect_the_same_version(self, site: str, writers: int) -> None:
        """Exactly one of them may write."""
        command = Assign(site=site)
        wanted = self.events_of(command)
        causes = [a_cause(expected_version=len(self.streams.get(command.stream_id, []))) for _ in range(writers)]

        async def all_at_once() -> list[Any]:
            return await asyncio.gather(
                *(self.place.app.handle(command, cause) for cause in causes), return_exceptions=True
            )

        outcomes = self.do(all_at_once())
        if not isinstance(wanted, list):
            assert all(type(outcome) is wanted for outcome in outcomes)
            return
        [won] = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, Answer)]
        assert sum(isinstance(outcome, VersionConflict) for outcome in outcomes) == writers - 1
        self.happened(command, causes[won], outcomes[won], wanted)

    @rule(site=SITES, writers=st.integers(2, 4))
    def one_command_is_sent_several_times_at_once(self, site: str, writers: int) -> None:
        """A double click: all get the same answer."""
        command = Assign(site=site)
        wanted = self.events_of(command)
        cause = a_cause(expected_version=len(self.streams.get(command.stream_id, [])))

        async def all_at_once() -> list[Any]:
            return await asyncio.gather(
                *(self.place.app.handle(command, cause) for _ in range(writers)), return_exceptions=True
            )

        outcomes = self.do(all_at_once())
        if not isinstance(wanted, list):
            assert all(type(outcome) is wanted for outcome in outcomes)
            return
        assert len({(answer.version, *answer.events) for answer in outcomes}) == 1
        assert sum(not answer.repeated for answer in outcomes) == 1
        self.happened(command, cause, outcomes[0], wanted)

    @rule(size=st.integers(1, 5))
    def number_a_batch(self, size: int) -> None:
        self.do(a_sequencer(self.place, batch=size).once())

    @invariant()
    def the_store_holds_what_the_model_holds(self) -> None:
        if hasattr(self, "place"):
            self.do(self.compare())

    async def compare(self) -> None:
        pool = self.place.pool
        streams: dict[str, list[str]] = {}
        short = {"registered": "o", "keeper_assigned": "k", "entered_in_error": "s"}
        for n, row in enumerate(await pool.fetch("SELECT * FROM record.event ORDER BY stream_id, version")):
            stream = streams.setdefault(row["stream_id"], [])
            stream.append(short[row["type"].split(".")[2]])
            assert row["version"] == len(stream), n
        assert streams == self.streams
        lines = {row["site"]: (row["no"], row["assigned"]) for row in await pool.fetch("SELECT * FROM toy_line")}
        assert lines == {stream: (no, self.streams[stream].count("k")) for no, stream in self.numbers.items()}
        positions = [row[0] for row in await pool.fetch("SELECT position FROM record.log ORDER BY position")]
        assert positions == list(range(1, len(positions) + 1))
        waiting = await pool.fetchval("SELECT count(*) FROM work.pending")
        assert len(positions) + waiting == sum(len(stream) for stream in streams.values())

    async def end(self) -> None:
        if hasattr(self, "place"):
            await self.place.number()
            await a_sequencer(self.place).check()
            await self.compare()


def test_the_store_is_what_a_dictionary_would_be(templates: Templates) -> None:
    machines.run(lambda: Store(templates), examples=20, steps=20)
