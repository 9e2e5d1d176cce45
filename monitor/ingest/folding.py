"""A bound on the values of a dimension that one flush may bring along."""

from typing import Final

FOLD_FACTOR: Final = 20
"""Ingest keeps so many times the values of a dimension that the core does (DESIGN.md)."""
OTHER: Final = "other"
"""Stands for the values beyond the bound."""

Values = tuple[str | None, ...]
"""Values of some dimensions, in order; None where an event lacks one."""


class Folding:
    """The values seen of each dimension since the last flush; beyond the bound they are `other`.

    Attributes:
        most: the bound.
    """

    def __init__(self, cardinality: int) -> None:
        self.most = FOLD_FACTOR * cardinality
        self._seen: dict[str, set[str]] = {}

    def fold(self, names: tuple[str, ...], values: Values) -> Values:
        """The values to keep apart: the same ones, as a rule."""
        return tuple(
            value if value is None else self._fold(name, value)
            for name, value in zip(names, values, strict=True)
        )

    def _fold(self, name: str, value: str) -> str:
        seen = self._seen.setdefault(name, set())
        if value in seen:
            return value
        if len(seen) >= self.most:
            return OTHER
        seen.add(value)
        return value

    def clear(self) -> None:
        """Forget the flush."""
        self._seen.clear()
