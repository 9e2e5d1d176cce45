"""What `monitor check --connect` found at one place."""

from dataclasses import dataclass
from enum import StrEnum


class ProbeState(StrEnum):
    """What a person has to do about it."""

    OK = "ok"
    """Nothing."""
    FINDING = "finding"
    """Something: the service will not work, or not as configured."""
    UNREACHABLE = "unreachable"
    """Start a server, or correct its address: what depends on it was not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One line of the table.

    Attributes:
        what: the thing, such as `source topic`.
        name: its address or name.
        state: whether it is right.
        detail: what was found.
        remedy: what to do; empty where it is right.
    """

    what: str
    name: str
    state: ProbeState = ProbeState.OK
    detail: str = ""
    remedy: str = ""
