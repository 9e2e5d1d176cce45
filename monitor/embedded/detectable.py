"""The minimum detectable shift of every metric, from what a machine has learnt.

Quantiles are judged by the share of events beyond their level, for which it is not worked out. The level goes on learning while there is no suspicion: a shift that takes most of a day to be found is
found less often than this says.
"""

import math
from typing import Final

import numpy as np

from monitor.core.lane import Lane
from monitor.core.machine import Machine
from monitor.definitions.calendar import bucket_start
from monitor.definitions.plan import Law
from monitor.guard.bets import SIZES, scale
from monitor.guard.detectable import minimum_detectable_shift
from monitor.model.tick import Bools, Floats, Observation
from monitor.model.time import DAY, HOUR

HORIZONS: Final = {"1h": HOUR, "1d": DAY}
"""How long a fall may last until it is found, by its name in `summary.json`."""


def detectable_by_metric(
    machine: Machine, from_us: int | None
) -> dict[str, dict[str, float | None]]:
    """By metric and horizon, the smallest shift of its whole that is likely to be found.

    None where no shift is; a quantile has no horizon: it is not worked out.

    Args:
        machine: what has been learnt.
        from_us: variance and band are the median over the day from here on; None where there were no
            events.
    """
    found: dict[str, dict[str, float | None]] = {}
    for lane in machine.lanes:
        found.update(_of_lane(lane, from_us))
    return {name: found[name] for name in sorted(found)}


def _of_lane(lane: Lane, from_us: int | None) -> dict[str, dict[str, float | None]]:
    panel, width = lane.panel, lane.panel.calendar.width_us
    rows = {metric.name: panel.series.whole(i) for i, metric in enumerate(panel.metrics)}
    empty: dict[str, dict[str, float | None]] = {name: dict.fromkeys(HORIZONS) for name in rows}
    if from_us is None or lane.guard.size < panel.series.size:
        return empty
    variance, eps, few = _typical(lane, bucket_start(panel.calendar, from_us))
    traits = panel.series.traits()
    for metric in panel.metrics:
        row = rows[metric.name]
        bets = SIZES.size * (int(traits.up[row]) + int(traits.down[row]))
        for name, horizon in HORIZONS.items():
            if metric.law is Law.QUANTILE:
                empty[metric.name] = {}
                continue
            if few[row]:
                continue
            shift = minimum_detectable_shift(
                relative_variance=float(variance[row]),
                eps=float(eps[row]),
                log_threshold=metric.log_threshold[0],
                buckets=horizon // width,
                bets=max(bets + int(traits.page_no_data[row]), 1),
            )
            empty[metric.name][name] = None if math.isnan(shift) else round(shift, 4)
    return empty


def _typical(lane: Lane, start_us: int) -> tuple[Floats, Floats, Bools]:
    """By row: relative variance of a bucket, half-width of the null band, whether it is not judged.

    With autocorrelation it is that of a sum over many buckets, by their number: what a prediction leaves of a
    shift, over the variance of its errors, comes to the same.
    """
    width, traits = lane.panel.calendar.width_us, lane.panel.series.traits()
    step = max(width, HOUR // width * width)
    nothing = np.zeros(lane.panel.series.size)
    variances, bands, unjudged = [], [], []
    for start in range(start_us, start_us + max(DAY, width), step):
        expected = lane.baseline.expect(start, start + width, traits)
        seen = Observation(
            start_us=start,
            end_us=start + width,
            x=nothing,
            n=nothing,
            observed=np.zeros(nothing.size, dtype=bool),
        )
        with np.errstate(all="ignore"):
            scaled = scale(seen, expected, traits)
            variances.append(scaled.in_sums / scaled.mean**2)
        bands.append(scaled.eps)
        unjudged.append(~expected.ready | ~(expected.units >= traits.min_units))
    few = np.mean(unjudged, axis=0) > 0.5  # noqa: PLR2004 - of most buckets
    return np.median(variances, axis=0), np.median(bands, axis=0), few
