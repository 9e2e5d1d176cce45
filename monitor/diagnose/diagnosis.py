"""What is said of where an incident is: its segments with their figures, and the split of a rate."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.diagnose.mix import Mix, mix_of
from monitor.diagnose.place import Place, place_of
from monitor.diagnose.scope import M, N, Scope, X

_LN10 = math.log(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Where an incident is.

    Attributes:
        segments: row of the panel and figures of each, most blamed first: `relative_shift`, `value`,
            `expected` (of totals per bucket), `n`, `evidence` (log10 M), `share` (of the whole's
            change) and `confidence`.
        mix: the split of a rate; None of other kinds and where there are no segments. `group` is the
            place of the dimension.
        mix_row: row of the series whose share moved most.
    """

    segments: list[tuple[int, dict[str, Any]]]
    mix: Mix | None
    mix_row: int | None


def diagnose(scope: Scope) -> Diagnosis:
    """Where the incident of a scope is, as far as it can be told."""
    with np.errstate(all="ignore"):
        place, mix = place_of(scope), mix_of(scope)
        segments = [(int(scope.rows[i]), _figures(scope, place, i)) for i in place.series]
    row = None if mix is None or mix.series is None else int(scope.rows[mix.series])
    return Diagnosis(segments=segments, mix=mix, mix_row=row)


def _figures(scope: Scope, place: Place, series: int) -> dict[str, Any]:
    x, m, n = (float(scope.sums[series, column]) for column in (X, M, N))
    per = float(scope.buckets[series])
    per = n if math.isnan(per) else per
    evidence = float(scope.log_m[series])
    return {
        "relative_shift": x / m - 1.0 if m else None,
        "value": x / per if per > 0 else None,
        "expected": m / per if per > 0 else None,
        "n": n,
        "evidence": max(evidence, 0.0) / _LN10 if math.isfinite(evidence) else 0.0,
        "share": _share(scope, series),
        "confidence": place.confidence(series),
    }


def _share(scope: Scope, series: int) -> float | None:
    """Its part of the change: of a rate, of what moved inside the segments of its grouping."""
    change = scope.sums[:, X] - scope.sums[:, M]
    of = change[0]
    if scope.rate:
        of = change[scope.group == scope.group[series]].sum()
    return float(change[series] / of) if of else None
