"""The people of the plan: who holds which post, and what they sign in with."""

from dataclasses import dataclass, field
from datetime import timedelta

from shared.decider import Actor
from shared.errors import MinewatchError
from shared.identity.tokens import Tokens
from shared.plan.model import Person
from shared.plan.terms import PlanTerms

VALID = timedelta(hours=24)
"""Real time; the demo may stay served for a while."""


class NobodyInPost(MinewatchError):
    """The plan appoints nobody to a post that the script needs."""


@dataclass
class Cast:
    """`plan` says who there is; `tokens` makes their tokens, once each."""

    plan: PlanTerms
    tokens: Tokens
    _issued: dict[Actor, str] = field(default_factory=dict)

    def one(self, post: str, unit: str | None = None, nth: int = 0) -> Actor:
        """The nth holder of `post` (in `unit`), in the plan's order. Raises NobodyInPost."""
        held = self.all(post, unit)
        if len(held) <= nth:
            raise NobodyInPost(f"{self.plan.version}: {post}{f'@{unit}' if unit else ''} no. {nth + 1}")
        return held[nth]

    def all(self, post: str, unit: str | None = None) -> list[Actor]:
        return [_actor(p) for p in self.plan.people if p.post == post and unit in (None, p.unit)]

    def named(self, person: str, post: str | None = None) -> Actor:
        """A person, in `post` or in the first one they hold. Raises NobodyInPost."""
        held = [p for p in self.plan.people if p.person == person]
        chosen = next((p for p in held if p.post == post), held[0] if held else None)
        if chosen is None:
            raise NobodyInPost(f"{self.plan.version}: {person}")
        return _actor(chosen)

    def head(self, unit: str) -> Actor:
        """The head of a village."""
        return self.one("village_head", unit)

    def who(self, words: str) -> Actor:
        """As the script names people: "inspector 2", "village_head dulan", "deputy_leader police_station"."""
        post, *rest = words.split()
        number = next((int(word) - 1 for word in rest if word.isdigit()), 0)
        unit = next((word for word in rest if not word.isdigit()), None)
        return self.one(post, unit, number)

    def acting(self, who: Actor, for_whom: Actor, ground: str) -> Actor:
        """`who` on behalf of somebody else."""
        return Actor(who.person, who.post, who.unit, who.village, for_whom.person, ground)

    def village(self, unit: str) -> str:
        """The division code of a village's unit. Raises NobodyInPost."""
        code = self.plan.village_of_unit(unit)
        if code is None:
            raise NobodyInPost(f"{self.plan.version}: {unit} is no village")
        return code

    @property
    def village_units(self) -> list[str]:
        return [village.unit for village in self.plan.plan.villages]

    def called(self, unit: str) -> str:
        """A unit's Chinese name."""
        return self.plan.name("unit", unit)

    def token(self, who: Actor) -> str:
        if who not in self._issued:
            self._issued[who] = self.tokens.issue(who, VALID)
        return self._issued[who]


def _actor(person: Person) -> Actor:
    return Actor(person.person, person.post, person.unit, person.village)
