"""A toy aggregate on a real contract: a site is opened, gets keepers, and may be struck out; two read models and a reaction."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text, bindparam
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.cases.site import EVENTS, SiteEnteredInError, SiteKeeperAssigned, SiteRegistered
from shared.contracts.envelope import Recorded
from shared.contracts.event import Event, text_of
from shared.decider import Actor, Command, Decider
from shared.errors import Refusal, StreamExists, StreamNotFound
from shared.reaction import Reactions
from shared.read_model import ReadModel, Write
from shared.sql import Tx


class OpenSite(Command):
    site: str
    name: str = "一号井口"
    no: int = 1

    @property
    def stream_id(self) -> str:
        return f"site-{self.site}"


class Assign(Command):
    """`times` equal events in one command."""

    site: str
    unit: str = "safety_office"
    times: int = 1

    @property
    def stream_id(self) -> str:
        return f"site-{self.site}"


class Strike(Command):
    site: str

    @property
    def stream_id(self) -> str:
        return f"site-{self.site}"


class Struck(Refusal):
    """已作废。
    Struck."""


@dataclass(frozen=True)
class Toy:
    exists: bool = False
    struck: bool = False
    assigned: int = 0


def decide(command: Command, state: Toy, _: Any) -> list[Event]:
    match command:
        case OpenSite():
            if state.exists:
                raise StreamExists
            return [
                SiteRegistered(site_no=command.no, category="closed_mine", village="140181101207", name=command.name)
            ]
        case Assign():
            if not state.exists:
                raise StreamNotFound
            if state.struck:
                raise Struck
            return [SiteKeeperAssigned(kind="departmental", unit=command.unit)] * command.times
        case Strike():
            return [] if state.struck else [SiteEnteredInError(reason="录错")]
    raise AssertionError(command)


def evolve(state: Toy, event: Event) -> Toy:
    match event:
        case SiteRegistered():
            return Toy(exists=True)
        case SiteKeeperAssigned():
            return Toy(state.exists, state.struck, state.assigned + 1)
        case SiteEnteredInError():
            return Toy(state.exists, True, state.assigned)
    return state


TOY = Decider("site", Toy, decide, evolve, (OpenSite, Assign, Strike), EVENTS)
TYPES = frozenset(event.type for event in EVENTS)

LINE = Table(
    "toy_line",
    MetaData(),
    Column("site", Text, primary_key=True),
    Column("no", Integer, unique=True),
    Column("name", Text),
    Column("assigned", Integer),
)
PUT = insert(LINE).values(site=bindparam("site"), no=bindparam("no"), name=bindparam("name"), assigned=0)
COUNT = LINE.update().where(LINE.c.site == bindparam("of")).values(assigned=LINE.c.assigned + 1)


def project_line(e: Recorded[Any]) -> list[Write]:
    match e.event:
        case SiteRegistered():
            return [(PUT, {"site": e.stream_id, "no": e.event.site_no, "name": text_of(e.event.name)})]
        case SiteKeeperAssigned():
            return [(COUNT, {"of": e.stream_id})]
    return []


LINES = ReadModel("toy_line", (LINE,), (SiteRegistered, SiteKeeperAssigned), project_line)
"""Rows of one stream each; `no` is reserved."""

SEEN = Table(
    "toy_seen",
    MetaData(),
    Column("position", BigInteger, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("event_id", Text),
    Column("type", Text),
)
SAW = insert(SEEN).values(
    position=bindparam("position"), source=bindparam("source"), event_id=bindparam("event_id"), type=bindparam("type")
)


def project_seen(e: Recorded[Any]) -> list[Write]:
    return [(SAW, {"position": e.position, "source": e.source, "event_id": str(e.event_id), "type": e.type})]


SEEN_MODEL = ReadModel("toy_seen", (SEEN,), EVENTS, project_seen)
"""Every event once, by its position; a second time is an error."""


async def no_terms(_: Tx, __: Actor, ___: datetime) -> tuple[None, None]:
    return None, None


@dataclass
class Mirror:
    """Copies every site to `<site>-copy`, except where `refuses` holds the stream, or `fails` makes it raise."""

    refuses: set[str] = field(default_factory=set)
    fails: list[Exception] = field(default_factory=list)
    reactions: Reactions = field(default_factory=Reactions)

    def __post_init__(self) -> None:
        self.reactions.on(SiteRegistered, SiteKeeperAssigned, SiteEnteredInError, expects=(StreamExists,))(self.copy)

    async def copy(self, e: Recorded[Any], _: Tx) -> list[Command]:
        if self.fails:
            raise self.fails.pop()
        if e.stream_id in self.refuses:
            raise Struck
        if e.stream_id.endswith("-copy"):
            return []
        site = f"{e.stream_id.removeprefix('site-')}-copy"
        match e.event:
            case SiteRegistered():
                return [OpenSite(site=site, no=-e.event.site_no)]
            case SiteKeeperAssigned():
                return [Assign(site=site, unit=e.event.unit)]
        return [Strike(site=site)]
