"""How many lines to take in before looking whether it is time for a flush."""

from typing import Final

MOST: Final = 500
"""A busy source: as many as stay in the processor's cache."""
_MUCH: Final = 5_000
"""Cells that are too many for one look: a tenth of a flush."""


class Pace:
    """Takes few lines where each brings hours of a quiet history, many where they share a bucket.

    Args:
        most: lines at most.

    >>> pace = Pace()
    >>> pace.took(0)
    >>> pace.took(0)
    >>> pace.next()
    4
    >>> pace.took(20_000)
    >>> pace.next()
    1
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lines = 1

    def next(self) -> int:
        """How many lines to take next, at least 1."""
        return self._lines

    def took(self, cells: int, *, is_long: bool = False) -> None:
        """Note what the lines that were taken came to.

        Args:
            cells: by which what waits for a flush has grown.
            is_long: whether they made a frame span too much time.
        """
        more = max(1, self._lines // 4) if is_long or cells > _MUCH else 2 * self._lines
        self._lines = min(self._most, more)
