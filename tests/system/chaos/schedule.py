"""What is done when: faults drawn by a seed, each at a share of the events."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Kind(Enum):
    """What is done, in words for the printed schedule."""

    KILL_ROLE = "kill -9 of the role's process"
    KILL_RUN = "kill -9 of `monitor run`"
    END_RUN = "SIGTERM to `monitor run`, started again after a while"
    FREEZE_ROLE = "SIGSTOP of the role's process, SIGCONT later"
    VISITOR = "one more worker joins, and leaves by SIGTERM"
    BROKER_KILLED = "kill -9 of the broker, started again"
    BROKER_AWAY = "kill -9 of the broker, started again after minutes"
    BROKER_FROZEN = "SIGSTOP of the broker, SIGCONT later"
    ALERTMANAGER_DEAD = "kill -9 of Alertmanager, started again"
    ALERTMANAGER_SLOW = "Alertmanager is frozen for most of each second"
    LETTERS_FULL = "the dead-letter topic takes no message over 100 bytes"


WORKERS: Final = {
    "ingest-1": "ingest",
    "ingest-2": "ingest",
    "core-1": "core",
    "core-2": "core",
    "serve": "serve",
}
"""The `monitor run` processes by name, each with its role."""

SESSION_SECONDS: Final = 10.0
"""Of the consumers (`monitor/kafka/broker.py`): who is silent for longer loses its partitions."""


LONG: Final = 40
"""So many faults make a run a long one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault.

    Attributes:
        at: after this share of the events was sent.
        kind: what is done.
        target: a worker, a role, or a server.
        seconds: how long it lasts.
    """

    at: float
    kind: Kind
    target: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.at:6.1%}  {self.target:<12}  {self.seconds:5.1f} s  {self.kind.value}"


def schedule(seed: int, count: int) -> list[Fault]:
    """So many faults, evenly spread; every kind comes once before one comes twice.

    A broker that is away for minutes is for long runs only.
    """
    chance = random.Random(f"schedule {seed}")
    usual = [kind for kind in Kind if kind is not Kind.BROKER_AWAY]
    kinds = [kind for _ in range(0, count, len(usual)) for kind in _shuffled(chance, usual)]
    if count >= LONG:
        kinds[chance.randrange(count)] = Kind.BROKER_AWAY
    frozen = chance.sample(["ingest", "core"], 2)
    return [
        _fault(chance, kind, at=(number + 0.5) / (count + 0.5), frozen=frozen)
        for number, kind in enumerate(kinds[:count])
    ]


def _fault(chance: random.Random, kind: Kind, *, at: float, frozen: list[str]) -> Fault:
    low, high = _LASTS.get(kind, (0.0, 0.0))
    target = chance.choice(list(_targets(kind)))
    if kind is Kind.FREEZE_ROLE:
        # One role after the other: a short run has few of these, and both must go through it.
        role = frozen[0]
        frozen.reverse()
        target = chance.choice([name for name, own in WORKERS.items() if own == role])
    return Fault(at=at, kind=kind, target=target, seconds=round(chance.uniform(low, high), 1))


_LASTS: Final = {
    Kind.END_RUN: (0.0, 6.0),
    Kind.FREEZE_ROLE: (SESSION_SECONDS + 2, SESSION_SECONDS + 6),
    Kind.VISITOR: (4.0, 10.0),
    Kind.BROKER_KILLED: (1.0, 6.0),
    Kind.BROKER_AWAY: (120.0, 180.0),
    Kind.BROKER_FROZEN: (4.0, 16.0),
    Kind.ALERTMANAGER_DEAD: (4.0, 12.0),
    Kind.ALERTMANAGER_SLOW: (4.0, 12.0),
    Kind.LETTERS_FULL: (4.0, 12.0),
}


def _targets(kind: Kind) -> Sequence[str]:
    match kind:
        case Kind.KILL_ROLE | Kind.KILL_RUN | Kind.END_RUN:
            return tuple(WORKERS)
        case Kind.FREEZE_ROLE | Kind.VISITOR:
            return ("ingest", "core")
        case Kind.BROKER_KILLED | Kind.BROKER_AWAY | Kind.BROKER_FROZEN:
            return ("broker",)
        case Kind.ALERTMANAGER_DEAD | Kind.ALERTMANAGER_SLOW:
            return ("alertmanager",)
        case Kind.LETTERS_FULL:
            return ("dead letters",)


def _shuffled(chance: random.Random, kinds: Sequence[Kind]) -> list[Kind]:
    return chance.sample(kinds, len(kinds))


def table(faults: Sequence[Fault]) -> str:
    """The schedule as text, one fault a line."""
    return "\n".join(f"{number:3}  {fault}" for number, fault in enumerate(faults, 1))
