"""Who is shown another moment by the command line, and why: asked, and recorded before anything is shown."""

from dataclasses import dataclass
from datetime import datetime

import click

from shared.audit.covered import numbered
from shared.audit.moment import Moment
from shared.audit.opened import Opened, recording
from shared.cli.people import acting
from shared.contracts.parts import AsOf
from shared.decider import Actor
from shared.opening import record_opening
from shared.web.replayed import POSTS

KIND = "replay"

reason_option = click.option("--reason", help="why; it is recorded, sealed for the office")
person_option = click.option("--as", "person", metavar="PERSON", help=f"who: somebody who is {', '.join(POSTS)}")


@dataclass(frozen=True)
class Reader:
    reason: str
    person: str

    async def noted(self, service: Opened, moment: Moment, since: datetime | None = None) -> Actor:
        """Records in the service's log that `moment` is opened, with `since` compared with that; in which post.

        Raises NotPermitted, OpeningNeedsReason, NotReady.
        """
        async with recording(service.card, service.settings) as app:
            who = await acting(app.pool, self.person, POSTS)
            as_of = AsOf(clock=moment.clock, at=moment.at, position=moment.own, since=since)
            event_id = await record_opening(app, kind=KIND, about=(), reason=self.reason, actor=who, as_of=as_of)
            await numbered(app.pool, event_id)
        return who
