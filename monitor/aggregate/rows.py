"""Some rows of a metric's deltas, for buckets that are closed already or lie before all that counts."""

import msgspec
import numpy as np

from monitor.model.frame import Deltas, Entries
from monitor.model.tick import Bools


def some_rows(deltas: Deltas, keep: Bools, *, late: bool | None = None) -> Deltas:
    """The deltas of these rows, with their entries.

    Args:
        deltas: whose.
        keep: by row.
        late: marks all of them so; None leaves each as it is. With True the rows must be sorted by
            bucket, as those of one lateness are.
    """
    flags = deltas.late[keep]
    return msgspec.structs.replace(
        deltas,
        late=flags if late is None else np.full(len(flags), late),
        bucket=deltas.bucket[keep],
        series=deltas.series[keep],
        hi=deltas.hi[keep],
        lo=deltas.lo[keep],
        entries=None if deltas.entries is None else _some_entries(deltas.entries, keep),
    )


def _some_entries(entries: Entries, keep: Bools) -> Entries:
    place = np.cumsum(keep) - 1
    chosen = keep[entries.row]
    return Entries(
        row=place[entries.row[chosen]].astype(entries.row.dtype),
        measure=entries.measure[chosen],
        key=entries.key[chosen],
        count=entries.count[chosen],
    )
