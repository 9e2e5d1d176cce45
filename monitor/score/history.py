"""The last values, one a step, in which what was missing is filled in."""

from typing import Final

_KEPT: Final = 20_000


class History:
    """Values by step number.

    Attributes:
        values: the last ones, oldest first.
        next: number of the step that comes next.
    """

    __slots__ = ("next", "values")

    def __init__(self) -> None:
        self.values: list[float] = []
        self.next = 0

    def append(self, value: float) -> None:
        """The value of the next step."""
        self.values.append(value)
        self.next += 1
        if len(self.values) > 2 * _KEPT:
            del self.values[:_KEPT]

    def fill(self, steps: int, value: float, period: int | None) -> None:
        """Steps without a value, as if they were those of the period before, or else all `value`.

        Of a gap longer than what is kept, only the length is remembered.
        """
        if steps > _KEPT:
            self.values.clear()
            self.next += steps - _KEPT
            steps = _KEPT
        back = period if period is not None and period <= len(self.values) else None
        for _ in range(steps):
            self.append(value if back is None else self.values[-back])

    def tail(self) -> list[float]:
        """At most the last 20,000 values."""
        return self.values[-_KEPT:]
