"""The dead letters of one flush of a source, and where the ledger counts them."""

from collections import Counter
from typing import Final

from monitor.ingest.fields import Fault
from monitor.model.event import DeadLetter, Reject

_BYTES_A_CELL: Final = 256
"""What waits for a flush, in cells: so many of it cost the memory of one."""

Homes = Counter[tuple[int, str, Reject]]
"""Dead letters by (base bucket in which they stand, event name or none, reason)."""


class Dead:
    """Collects dead letters.

    Args:
        source: its name in them.

    Attributes:
        letters: in the order they came.
        homes: how many, by where the ledger has them.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self.forget()

    def forget(self) -> None:
        """Begin a flush."""
        self.letters: list[DeadLetter] = []
        self.homes: Homes = Counter()
        self._bytes = 0

    @property
    def held(self) -> int:
        """What waits for a flush, in cells."""
        return self._bytes // _BYTES_A_CELL

    def add(
        self, fault: Fault, position: int, payload: bytes, *, read_us: int, home_us: int | None
    ) -> None:
        """Take in a message that cannot be used.

        Args:
            fault: why.
            position: of the message.
            payload: its bytes.
            read_us: the wall clock.
            home_us: start of the base bucket in which the ledger counts it; None where in none.
        """
        self._bytes += len(payload)
        if home_us is not None:
            self.homes[home_us, fault.event, fault.reason] += 1
        self.letters.append(
            DeadLetter(
                source=self._source,
                position=position,
                reason=fault.reason,
                detail=fault.detail,
                payload=payload,
                read_us=read_us,
            )
        )
