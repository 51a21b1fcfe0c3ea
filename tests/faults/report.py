"""What a drill says of itself at the end."""

from collections import Counter
from dataclasses import dataclass, field

from tests.faults.schedule import INJURIES


@dataclass
class Report:
    """What was done to the town and what was found wrong with it; `wrong` empty means every check was equal.

    kills: deaths by SIGKILL, `killed` by process; points: by crash point; injuries: by kind. `left_out`: kinds of steps that
    this machine cannot do, and why. `falls`: ends of processes that nobody asked for, as a rule a start while Postgres was away.
    """

    seed: int
    digest: str
    wrong: list[str] = field(default_factory=list)
    kills: int = 0
    killed: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    injuries: Counter[str] = field(default_factory=Counter)
    steps: Counter[str] = field(default_factory=Counter)
    restores: int = 0
    falls: int = 0
    commands: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    events: int = 0
    checkpoints: int = 0
    seconds: float = 0.0
    settled: float = 0.0
    left_out: list[str] = field(default_factory=list)
    logs: str = ""

    @property
    def verdict(self) -> str:
        """The last line, when nothing was wrong: what was left out is not equal, nobody has looked."""
        return "every check was equal" + (f"; LEFT OUT: {'; '.join(self.left_out)}" if self.left_out else "")

    @property
    def others(self) -> Counter[str]:
        """The steps that are counted nowhere else."""
        return Counter(
            {kind: n for kind, n in self.steps.items() if kind not in (*INJURIES, "kill", "restore", "point")}
        )
