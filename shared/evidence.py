"""What of a service can be taken out as evidence, as its card says: who may, and which records belong together.

A record is named by its stream, "hazard-…". Whoever takes evidence gets whole streams, also what led to them; so it is for those
alone who see everything of such a record.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from shared.decider import Actor
from shared.errors import NotFound, NotPermitted
from shared.sql import Tx

ORDERING = ("auditor", "office_director", "group_leader", "deputy_leader", "police_officer", "land_officer")
"""Posts that may order an evidence pack, of what they may see."""

Related = Callable[[Tx, Sequence[str]], Awaitable[Sequence[str]]]
"""Streams that belong to the streams given."""


async def nothing(_: Tx, __: Sequence[str]) -> Sequence[str]:
    return ()


@dataclass(frozen=True)
class Evidence:
    """`posts`: kind of record -> those of ORDERING that see everything of one; `rests_on`: streams, other services' too, that
    these records came from; `about`: streams of this service that tell of these records."""

    posts: Mapping[str, Sequence[str]]
    rests_on: Related = nothing
    about: Related = nothing

    def allows(self, who: Actor, stream: str) -> bool:
        return who.village is None and who.post in self.posts.get(kind_of(stream), ())

    def must_allow(self, who: Actor, stream: str) -> None:
        """Raises NotFound for what is no kind of record here, NotPermitted for one that the post does not see all of."""
        if kind_of(stream) not in self.posts:
            raise NotFound(stream)
        if not self.allows(who, stream):
            raise NotPermitted(f"evidence of {stream}")


def kind_of(stream: str) -> str:
    return stream.partition("-")[0]
