"""Scopes for tests: a whole, its segments and the combinations of two dimensions."""

from typing import Any

import numpy as np

from monitor.diagnose import Scope
from monitor.model.tick import LAWS

GROUPINGS = ((), ("country",), ("platform",), ("country", "platform"))


def make_scope(
    groups: list[int],
    x: Any,
    m: Any,
    n: Any = None,
    *,
    law: str = "negative_binomial",
    usual: Any = None,
    **changes: Any,
) -> Scope:
    """A scope with dispersion 1; `usual` is the expected n, as large as n where nothing is said."""
    size = len(groups)
    x, m = (np.asarray(v, dtype=float) for v in (x, m))
    n = x if n is None else np.asarray(n, dtype=float)
    usual = n if usual is None else np.asarray(usual, dtype=float)
    counts = law == "negative_binomial"
    variance = m if counts else m * (1 - m / np.maximum(n, 1e-9))
    fields: dict[str, Any] = {
        "rows": np.arange(size) + 100,
        "groupings": GROUPINGS,
        "steps": -1,
        "covers": np.full((size, 2), -1),
        "sums": np.stack([x, m, n, variance, usual], axis=1),
        "law": np.full(size, LAWS.index(law)),
        "sd_level": np.zeros(size),
        "level": m if counts else m / np.maximum(n, 1e-9),
        "log_m": np.full(size, -np.inf),
        "log_threshold": np.full(size, 10.0),
        "direction": -1 if x[0] < m[0] else 1,
        "rate": not counts,
        "buckets": np.full(size, 10.0 if counts else np.nan),
        **changes,
    }
    return Scope(group=np.array(groups), **fields)


def grid(cells: Any) -> list[float]:
    """Sums of a 2 x 2 table of country by platform, in the order of `GRID`."""
    (a, b), (c, d) = cells
    return [a + b + c + d, a + b, c + d, a + c, b + d, a, b, c, d]


GRID = [0, 1, 1, 2, 2, 3, 3, 3, 3]
COVERS = np.array([[-1, -1]] * 5 + [[1, 3], [1, 4], [2, 3], [2, 4]])
