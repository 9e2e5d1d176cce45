"""The significance guard of a panel: evidence, silence and incidents, composed to a decision.

One call judges one bucket of all rows. Every operation works on each row alone, save that a row looks
at those above it: the decision of a row depends neither on its place nor on how many others there are.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.guard import tail_bets
from monitor.guard.bets import SIDE_WEIGHT, SILENCE_WEIGHT, UP, Bets, scale
from monitor.guard.evidence import Evidence
from monitor.guard.families import Families
from monitor.guard.incident import Bucket, Incidents
from monitor.guard.label import bounds, label
from monitor.guard.silence import Silence
from monitor.guard.volume import Volume
from monitor.model.table import Table
from monitor.model.tick import (
    Bools,
    Decision,
    Expectation,
    Floats,
    Ints,
    Observation,
    Reason,
    Traits,
)
from monitor.stats import laws

SUSPICION = 0.5
"""Of log A: evidence above the square root of A is a suspicion ..."""
NEARLY = float(np.log(0.9))
"""... or nearly: one bucket pays no more than that root, and the bets on far larger shifts do not pay it."""
MOST_PATIENCE = 2.0
"""Times log A: a row with so much evidence waits for nothing coarser."""
MOST_CORRELATED = 0.125
"""Of shares, rho = (phi - 1)/(n - 1): in a bucket of so few units that it is more, the law holds little
possible but none and all, and whatever lies between would count for a rise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    """The leading evidence of each row: of a shift or of silence."""

    log_m: Floats
    silent: Bools
    direction: NDArray[np.int8]
    start_us: Ints
    sums: Floats
    best: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What this bucket does to the incidents."""

    recovered: Bools
    accepted: Bools
    opened: Bools
    parent_open: Bools
    forgotten: Bools

    @property
    def closed(self) -> Bools:
        closed: Bools = self.recovered | self.accepted
        return closed


class Guard:
    """Decides, bucket by bucket, which rows have shifted.

    Args:
        bucket_us: width of the panel's buckets, microseconds.
    """

    def __init__(self, *, bucket_us: int) -> None:
        self._bets = Bets()
        self._evidence = Evidence()
        self._silence = Silence()
        self._volume = Volume(bucket_us)
        self._incidents = Incidents(bucket_us)
        self._families = Families(bucket_us)

    @property
    def size(self) -> int:
        """Rows of the panel."""
        return self._incidents.table.size

    def append(self, count: int) -> None:
        """Add rows without evidence."""
        for table in self._tables().values():
            table.append(count)

    def clear(self, rows: Ints) -> None:
        """Forget evidence and incidents of these rows."""
        for table in self._tables().values():
            table.clear(rows)

    def step(self, observation: Observation, expectation: Expectation, traits: Traits) -> Decision:
        """Judge one bucket; buckets come in the order of time."""
        with np.errstate(all="ignore"):
            bucket = _bucket(observation, expectation, traits)
            self._collect(bucket)
            silent = self._incidents.is_silent(bucket)
            recovered, accepted = self._incidents.go_on(bucket, silent)
            finding = self._finding(bucket)
            change = self._change(bucket, finding, recovered, accepted & ~recovered)
            return self._decide(bucket, finding, change, silent)

    def end(self, rows: Ints, traits: Traits) -> None:
        """End the incidents of these rows; their evidence, and that of what is under them, starts anew."""
        closed = np.zeros(self.size, dtype=np.bool_)
        closed[rows] = True
        self._incidents.close(closed)
        anew = closed | traits.under(closed)
        self._evidence.forget(anew)
        self._silence.forget(anew)

    def dump(self) -> dict[str, Any]:
        """The state as plain values and arrays."""
        return {name: table.dump() for name, table in self._tables().items()}

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `dump` gave."""
        for name, table in self._tables().items():
            table.load(state[name])

    def _tables(self) -> dict[str, Table]:
        return {
            "evidence": self._evidence.table,
            "silence": self._silence.table,
            "volume": self._volume.table,
            "incidents": self._incidents.table,
            "families": self._families.table,
        }

    def _collect(self, bucket: Bucket) -> None:
        """Let every bet of the bucket pay."""
        seen, expected, traits, scaled = bucket.seen, bucket.expected, bucket.traits, bucket.scale
        cap = 0.5 * traits.log_threshold
        active = self._bets.active(expected, scaled, traits) & bucket.judged[:, None]
        self._families.update(
            bucket,
            active=active,
            goes_on=self._evidence.table["cusum"] > 0,
            is_open=self._incidents.table["open"],
        )
        self._evidence.update(
            payoffs=self._bets.pay(seen, expected, scaled, traits),
            active=active,
            cap=cap,
            sums=bucket.sums,
            start_us=seen.start_us,
        )
        self._silence.update(
            units=expected.units * self._volume.share(),
            phi=self._volume.phi(),
            empty=_empty(bucket),
            heard=seen.observed,
            cap=cap,
            mean=scaled.mean,
            variance=scaled.in_sums,
            start_us=seen.start_us,
        )
        self._volume.learn(
            seen.n,
            expected.units,
            heard=seen.observed,
            counts=(expected.units > 0) & ~self._incidents.table["open"],
        )

    def _finding(self, bucket: Bucket) -> _Finding:
        traits = bucket.traits
        allowed = np.where(UP, traits.up[:, None], traits.down[:, None])
        weight = SIDE_WEIGHT * allowed[:, 0] + SIDE_WEIGHT * allowed[:, -1]
        weight = weight + SILENCE_WEIGHT * traits.page_no_data
        weight = np.where(weight > 0, weight, 1.0)
        of_shift = self._evidence.total(allowed) / weight
        of_silence = SILENCE_WEIGHT * self._silence.table["r"] / weight * traits.page_no_data
        silent = of_silence > of_shift
        best = self._evidence.winner(allowed)
        start, sums = self._evidence.since(best)
        t = self._silence.table
        nothing = np.zeros(t.size)
        silent_sums = np.stack([nothing, t["expected"], nothing, t["variance"]], axis=1)
        some = np.maximum(of_shift, of_silence) > 0
        direction = np.where(silent, -1, np.where(UP[best], 1, -1))
        start = np.where(silent, t["start_us"], start)
        sums = np.where(silent[:, None], silent_sums, sums)
        return _Finding(
            log_m=np.log(np.maximum(of_shift, of_silence)),
            silent=silent,
            direction=np.where(some, direction, 0).astype(np.int8),
            start_us=np.where(some, start, bucket.seen.start_us),
            sums=np.where(some[:, None], sums, bucket.sums),
            best=best,
        )

    def _change(
        self, bucket: Bucket, finding: _Finding, recovered: Bools, accepted: Bools
    ) -> _Change:
        """The coarsest is decided first: a row under an open one opens no incident of its own."""
        traits, was_open = bucket.traits, self._incidents.table["open"].copy()
        closed = recovered | accepted
        fires = (bucket.judged | _empty(bucket)) & ~was_open
        fires &= finding.log_m >= traits.log_threshold
        fires = self._incidents.wait_for(self._coarser_to_follow(bucket, finding, was_open), fires)
        after_closed = traits.under(closed)
        stays = was_open & ~closed
        opened, under = fires & ~after_closed, np.zeros_like(fires)
        for _ in range(2 + traits.covers.shape[1]):  # from the whole down, a level of detail each
            under = traits.under(stays | opened)
            opened = fires & ~after_closed & ~under
        return _Change(
            recovered=recovered,
            accepted=accepted,
            opened=opened,
            parent_open=under,
            forgotten=closed | after_closed,
        )

    def _coarser_to_follow(self, bucket: Bucket, finding: _Finding, was_open: Bools) -> Bools:
        """Rows of which something coarser is suspected, in the same direction: it may page in a moment."""
        traits = bucket.traits
        suspected = bucket.expected.ready & ~was_open
        suspected &= finding.log_m >= _suspicion(traits)
        found = np.zeros_like(suspected)
        for way in (-1, 1):
            same = finding.direction == way
            found |= same & traits.under(suspected & same)
        result: Bools = found & (finding.log_m < MOST_PATIENCE * traits.log_threshold)
        return result

    def _decide(
        self, bucket: Bucket, finding: _Finding, change: _Change, silent: Bools
    ) -> Decision:
        seen, t = bucket.seen, self._incidents.table
        self._incidents.open(
            change.opened,
            start_us=finding.start_us,
            direction=finding.direction.astype(np.int64),
            sums=finding.sums,
            silent=finding.silent | silent,
            end_us=seen.end_us,
        )
        if change.opened.any():
            lost = finding.silent | silent
            self._families.open(change.opened, finding.best, bucket.traits.parent, lost)
        inside = t["open"].copy()
        of_shift = np.where(change.recovered[:, None], t["until_end"], t["sums"])
        sums = np.where(inside[:, None], of_shift, finding.sums)
        start_us = np.where(inside, t["start_us"], finding.start_us)
        direction = np.where(inside, t["direction"], finding.direction)
        returned = t["silent"].copy()
        closed = change.closed
        self._incidents.close(closed)
        self._evidence.forget(change.forgotten)
        self._silence.forget(change.forgotten)
        is_open = t["open"].copy()
        log_m = np.where(change.forgotten, -np.inf, finding.log_m)
        suspected = bucket.expected.ready & (log_m >= _suspicion(bucket.traits))
        pending = suspected & ~is_open & ~change.parent_open
        state, reason = label(
            bucket,
            change.parent_open,
            is_open=is_open,
            suspected=suspected,
            log_m=log_m,
            silent=silent,
        )
        reason = np.where(change.accepted, Reason.NEW_NORMAL, reason)
        over = np.where(returned, Reason.DATA_RETURNED, Reason.RECOVERED)
        reason = np.where(change.recovered, over, reason)
        lower, upper = bounds(bucket)
        return Decision(
            state=state.astype(np.int8),
            reason=reason.astype(np.int8),
            log_m=log_m,
            direction=direction.astype(np.int8),
            start_us=start_us,
            sum_x=sums[:, 0],
            sum_expected=sums[:, 1],
            sum_n=sums[:, 2],
            sum_variance=sums[:, 3],
            lower=lower,
            upper=upper,
            opened=change.opened,
            closed=closed,
            pending=pending,
            open=is_open,
            silent=silent,
            family=self._families.sums(),
            faded=np.where(bucket.traits.parent < 0, np.nan, self._volume.faded()),
        )


def _bucket(seen: Observation, expected: Expectation, traits: Traits) -> Bucket:
    scaled = scale(seen, expected, traits)
    judged = expected.ready & seen.observed & (expected.units >= traits.min_units)
    judged &= (scaled.variance > 0) & (scaled.mean > 0)
    judged &= ~tail_bets.unknown(seen, expected, traits)
    shares = traits.law == laws.BETA_BINOMIAL
    judged &= ~shares | (expected.phi - 1.0 <= MOST_CORRELATED * (seen.n - 1.0))
    sums = np.stack([seen.x, scaled.mean, seen.n, scaled.in_sums], axis=1)
    return Bucket(
        seen=seen, expected=expected, traits=traits, scale=scaled, judged=judged, sums=sums
    )


def _empty(bucket: Bucket) -> Bools:
    """Rows that hold nothing where something was expected, and whose silence is an alert."""
    expected, traits = bucket.expected, bucket.traits
    return expected.ready & ~bucket.seen.observed & traits.page_no_data & (expected.units > 0)


def _suspicion(traits: Traits) -> Floats:
    """Natural log of the evidence from which on a shift is suspected."""
    least: Floats = SUSPICION * traits.log_threshold + NEARLY
    return least
