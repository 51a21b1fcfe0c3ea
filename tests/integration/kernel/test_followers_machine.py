"""Followers, played at random: refusals, parking, retries and crashes leave no event unaccounted for, nor out of order."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from shared.bell import Bell
from shared.contracts.cases.site import SiteKeeperAssigned
from shared.contracts.envelope import read
from shared.errors import VersionConflict
from shared.follower import MarkMoved, Projection, Walk
from shared.reaction import Reactor, count_parked, parked_subjects
from tests.support import machines
from tests.support.crash import Killed, kill_at, raise_at
from tests.support.kernel import Place, Templates, a_cause, a_place
from tests.support.toy import SEEN_MODEL, Assign, Mirror, OpenSite

SITES = st.sampled_from(["a", "b", "c"])
COPY = st.sampled_from(["reaction: before the commit", "reaction: after the commit"])


class Following(machines.Machine):
    """Sites are copied by a reaction to the service's own events; `refuses` holds the streams it refuses."""

    place: Place

    def __init__(self, templates: Templates) -> None:
        super().__init__()
        self.templates, self.mirror = templates, Mirror()
        self.written: dict[str, list[str]] = {}

    @initialize()
    def begin(self) -> None:
        self.place = self.do(self.open.enter_async_context(a_place(self.templates, inline=(), sealed=False)))

    def reactor(self, **changes: Any) -> Reactor:
        return Reactor("cases", Walk("cases", "cases"), self.mirror.reactions, self.place.app, Bell(), **changes)

    @rule(site=SITES)
    def something_happens(self, site: str) -> None:
        units = self.written.setdefault(site, [])
        if not units:
            self.do(self.place.app.handle(OpenSite(site=site), a_cause()))
        units.append(f"u{len(units)}")
        self.do(self.place.app.handle(Assign(site=site, unit=units[-1]), a_cause()))
        self.do(self.place.number())

    @rule(site=SITES)
    def a_subject_is_refused(self, site: str) -> None:
        self.mirror.refuses.add(f"site-{site}")

    @rule(site=SITES)
    def a_subject_is_no_longer_refused(self, site: str) -> None:
        self.mirror.refuses.discard(f"site-{site}")

    @rule()
    def the_reactor_walks(self) -> None:
        self.do(self._walk())

    async def _walk(self) -> None:
        while await self.reactor().once() or await self.place.pool.fetchval("SELECT EXISTS (SELECT FROM work.pending)"):
            await self.place.number()

    @rule(point=COPY, nth=st.integers(1, 3))
    def the_reactor_is_killed_at(self, point: str, nth: int) -> None:
        try:
            self.do(self.reactor(points=kill_at(point, nth)).once())
        except Killed:
            self.do(self.place.number())

    @rule(nth=st.integers(1, 3))
    def the_reactor_meets_another_writer(self, nth: int) -> None:
        try:
            self.do(self.reactor(points=raise_at("reaction: before the commit", VersionConflict("x"), nth)).once())
        except VersionConflict:
            self.do(self.place.number())

    @rule()
    def a_person_retries(self) -> None:
        self.do(self._retry())

    async def _retry(self) -> None:
        for reaction, subject in await parked_subjects(self.place.pool):
            done = await self.reactor().retry(reaction, subject)
            assert done == (subject not in self.mirror.refuses)
        await self.place.number()

    @rule(batch=st.integers(1, 4), dies=st.booleans())
    def the_projection_walks(self, batch: int, dies: bool) -> None:
        walk, sealer = Walk("cases", "cases"), self.place.app.sealer
        projection = Projection("cases", "seen", walk, [SEEN_MODEL], self.place.pool, sealer, Bell(), batch=batch)
        if dies:
            projection.points = kill_at("projection seen: before the commit")
        try:
            self.do(projection.once())
        except (Killed, MarkMoved):
            assert dies

    @precondition(lambda self: hasattr(self, "place"))
    @invariant()
    def every_event_is_accounted_for(self) -> None:
        self.do(self._account())

    async def _account(self) -> None:
        pool = self.place.pool
        row = await pool.fetchrow("SELECT position, applied FROM work.mark WHERE follower = 'reactions'")
        waiting = await count_parked(pool)
        if row is not None:
            assert row["applied"] + waiting["parked"] + waiting["queued"] == row["position"]
        firsts = await pool.fetch(
            "SELECT subject, (array_agg(state ORDER BY parked_id))[1] AS first, count(*) FILTER (WHERE state = 'parked') AS n"
            " FROM work.parked WHERE state <> 'done' GROUP BY subject"
        )
        assert all((one["first"], one["n"]) == ("parked", 1) for one in firsts)
        for site, units in self.written.items():
            copied = await self._copied(site)
            assert copied == units[: len(copied)]
        seen = [row[0] for row in await pool.fetch("SELECT position FROM toy_seen ORDER BY position")]
        assert seen == list(range(1, await self.place.mark("projection:seen", "cases") + 1))

    async def _copied(self, site: str) -> list[str]:
        sql = "SELECT body FROM record.event WHERE stream_id = $1 ORDER BY version"
        events = [read(row[0]).event for row in await self.place.pool.fetch(sql, f"site-{site}-copy")]
        return [event.unit for event in events if isinstance(event, SiteKeeperAssigned)]

    async def end(self) -> None:
        """Nothing is refused any more: after the retries every site has its copy, to the last event."""
        if not hasattr(self, "place"):
            return
        self.mirror.refuses.clear()
        await self._walk()
        await self._retry()
        await self._walk()
        assert await count_parked(self.place.pool) == {"parked": 0, "queued": 0}
        for site, units in self.written.items():
            assert await self._copied(site) == units


def test_every_event_is_applied_parked_or_queued_and_each_subject_keeps_its_order(templates: Templates) -> None:
    machines.run(lambda: Following(templates), examples=16, steps=20)
