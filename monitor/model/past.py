"""What is kept of one series over a span of time: the answer of whoever keeps it."""

from dataclasses import dataclass

from monitor.model.bucket import BucketLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One series over a span.

    Attributes:
        rows: its buckets that start in the span, oldest first, the last revision of each.
        first_us: start of its first bucket at or after the span's start; None where there is none.
        last_us: end of its newest bucket, wherever that is; None where it has none at all.
        judged_from_us: when it has learnt enough to be judged; None where that is not known.
    """

    rows: tuple[BucketLine, ...]
    first_us: int | None
    last_us: int | None
    judged_from_us: int | None = None
