"""Mistakes of whoever wrote the configuration: each has a place, and all are told at once."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from monitor.errors import ConfigError

Path = tuple[str | int, ...]
"""Keys and list indices from the top of a file, or of one metric, to a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a value, by its path.

    Attributes:
        path: where it stands.
        message: what is wrong and what would be right; begins with the key.
        on_key: whether the key itself is at fault, not its value.
    """

    path: Path
    message: str
    on_key: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Mistake:
    """A fault with its place.

    Attributes:
        file: as the user would open it; `$NAME` for an environment variable.
        line: from 1; 0 where the whole file is meant.
        message: what is wrong and what would be right.
    """

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        """`file:line: message`."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.message}"


class MistakesError(ConfigError):
    """The configuration has mistakes; one line each, sorted by place.

    Attributes:
        mistakes: the same, for programs.
    """

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(set(mistakes)))
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


def shown(value: object) -> str:
    """A value for a message: short, as it would stand in YAML.

    >>> shown(None), shown("x"), shown([1])
    ('null', "'x'", 'a list')
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return repr(value)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message: `; did you mean 'x'?`, or nothing.

    >>> did_you_mean("segmnts", ["segments", "unit"])
    "; did you mean 'segments'?"
    """
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
