"""Running scales that one outlier moves little."""

from typing import Final

RATE: Final = 0.005
"""A scale forgets half within 140 rows."""
_WINSOR: Final = 5.0
_YOUNG: Final = 20


def clipped(value: float, limit: float) -> float:
    """The value, brought within +-limit."""
    if value > limit:
        return limit
    if value < -limit:
        return -limit
    return value


class Scale:
    """Running mean of absolute errors, each winsorised at five times the present mean."""

    __slots__ = ("count", "mean")

    def __init__(self, mean: float = 0.0) -> None:
        self.mean = mean
        self.count = 0

    def learn(self, error: float) -> None:
        """Take one error in."""
        self.count = count = self.count + 1
        size = abs(error)
        if count > _YOUNG:
            size = min(size, _WINSOR * self.mean)
        self.mean += max(RATE, 1 / count) * (size - self.mean)
