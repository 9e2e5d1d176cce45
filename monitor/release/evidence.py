"""What a shard says of a release and a metric: a record of the `verdicts` stream."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec
import numpy as np

from monitor.model.release import Release
from monitor.model.tick import Bools, Floats, Ints
from monitor.model.time import to_rfc3339
from monitor.release.scope import Place, is_explicit
from monitor.release.watch import INTERVAL_ALPHA, LOG_ALPHA, Watch
from monitor.stats.confidence_sequence import half_width
from monitor.stats.exact import DIGITS, round_one

LN10 = math.log(10)
BAND_Z = 2.241403
"""Two-sided 97.5 % point of the normal distribution: how far the frozen level may be off."""
POWER_Z = 0.84
"""One-sided 80 % point of the normal distribution."""
BETS = 10.0
"""Among so many the capital divides, but for bets on multiples, which hold little of it."""


class Note(StrEnum):
    """Why a series of a release is judged as it is, or not; the names leave the program."""

    SHIFT = "shift"
    WITHIN_MDE = "within_mde"
    MDE_TOO_LARGE = "mde_too_large"
    EVIDENCE_GROWING = "evidence_growing"
    TOO_EARLY = "too_early"
    NO_BUCKET = "no_bucket"
    LEARNING = "learning"
    INCIDENT_AT_START = "incident_at_start"
    BAD_DATA_QUALITY = "bad_data_quality"
    NO_DATA = "no_data"
    TOO_FEW_UNITS = "too_few_units"
    ARMS_NOT_A_SEGMENT = "arms_not_a_segment"
    ARMS_NEED_A_RATE = "arms_need_a_rate"
    OTHER_RELEASES = "other_releases"
    NOT_FINISHED = "not_finished"
    TOLD_LATE = "told_late"
    BUCKETS_GONE = "buckets_gone"


class SeriesEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """One series, as far as a release has been watched.

    Attributes:
        dimension, segment: `all`, `all` for the whole.
        up, down: log10 of the largest E so far of the bets on a rise and on a fall; None where none.
        share: of alpha.
        effect: relative; None where unknown.
        interval: holds at all times at once with 95 %; None where unknown.
        n: units, events or the denominator.
        mde: the smallest relative effect that would have been found by now with 80 %; None if unknown.
        buckets: that were judged.
        skipped: buckets that were not, by the `Note` that says why.
        blocked: why the series cannot be judged at all.
    """

    dimension: str
    segment: str
    up: float | None
    down: float | None
    share: float
    effect: float | None
    interval: tuple[float, float] | None
    n: float
    mde: float | None
    buckets: int
    skipped: dict[Note, int] = {}
    blocked: Note | None = None


class MetricEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What one metric says of a release.

    Attributes:
        release: its id.
        better: `up` or `down`: which direction is an improvement.
        as_of: end of the newest bucket, RFC 3339; None before the first.
        series: those that are listed.
        gate: the same at the end of the gate's time; None until then.
        notes: what concerns all of it.
    """

    release: str
    metric: str
    better: str
    as_of: str | None
    series: list[SeriesEvidence]
    gate: list[SeriesEvidence] | None = None
    notes: list[Note] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseJudged:
    """An effect: what a lane knows of a release after a bucket. Rows are those of its watch.

    Attributes:
        release: which.
        places: the series of each row.
        columns, gate: see `Watch.shown` and `Watch.gate`.
        as_of_us: end of the newest bucket; None before the first.
        blocked: by metric, why none of its series is watched.
        notes: what concerns all metrics.
    """

    release: Release
    places: tuple[Place, ...]
    columns: dict[str, Any]
    gate: dict[str, Any] | None
    as_of_us: int | None
    blocked: dict[str, tuple[str, Note]]
    notes: tuple[Note, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the metrics, sorted: those of a lane are in no other."""
        return tuple(sorted({place.metric.name for place in self.places} | self.blocked.keys()))

    @classmethod
    def of(
        cls,
        release: Release,
        watch: Watch,
        *,
        rows: Ints,
        places: tuple[Place, ...],
        blocked: dict[str, tuple[str, Note]],
    ) -> "ReleaseJudged":
        """A copy of what a watch holds of these of its rows."""
        notes = []
        if watch.told_late:
            notes.append(Note.TOLD_LATE)
        if watch.gone:
            notes.append(Note.BUCKETS_GONE)
        return cls(
            release=release,
            places=places,
            columns={name: column[rows] for name, column in watch.shown().items()},
            gate=None if watch.gate is None else _gate_rows(watch, rows),
            as_of_us=watch.as_of_us,
            blocked=blocked,
            notes=tuple(notes),
        )


def _gate_rows(watch: Watch, rows: Ints) -> dict[str, Any]:
    """What the rows were at the end of the gate's time; one that is newer was as it is in the table."""
    gate = watch.gate or {}
    then = len(gate["row"])
    now = watch.shown()
    whole = {name: np.concatenate([gate[name], now[name][then:]]) for name in now}
    return {name: column[rows] for name, column in whole.items()}


def evidence(judged: ReleaseJudged) -> list[MetricEvidence]:
    """The records of an effect: one a metric."""
    by_metric: dict[str, list[int]] = {}
    for row, place in enumerate(judged.places):
        by_metric.setdefault(place.metric.name, []).append(row)
    as_of = None if judged.as_of_us is None else to_rfc3339(judged.as_of_us)
    now = _Series(judged, judged.columns)
    gate = None if judged.gate is None else _Series(judged, judged.gate)
    out = [
        MetricEvidence(
            release=judged.release.id,
            metric=name,
            better=judged.places[rows[0]].metric.better,
            as_of=as_of,
            series=now.listed(rows),
            gate=None if gate is None else gate.listed(rows),
            notes=list(judged.notes),
        )
        for name, rows in by_metric.items()
    ]
    for name, (better, note) in judged.blocked.items():
        series = [nothing(note)]
        out.append(
            MetricEvidence(
                release=judged.release.id, metric=name, better=better, as_of=as_of, series=series
            )
        )
    return out


def nothing(note: Note, dimension: str = "all", segment: str = "all") -> SeriesEvidence:
    """The entry of a series that is not judged."""
    return SeriesEvidence(
        dimension=dimension,
        segment=segment,
        up=None,
        down=None,
        share=0.0,
        effect=None,
        interval=None,
        n=0.0,
        mde=None,
        buckets=0,
        blocked=note,
    )


class _Series:
    """The entries of the rows of a watch, from its columns."""

    def __init__(self, judged: ReleaseJudged, columns: dict[str, Any]) -> None:
        self._judged = judged
        self._c = columns
        with np.errstate(all="ignore"):
            c = columns
            spread = c["variance"] / (c["mean"] * c["mean"])
            log = np.log(BETS) - LOG_ALPHA - np.log(c["share"])
            self._mde = c["eps"] + np.sqrt(2.0 * spread * log) + POWER_Z * np.sqrt(spread)
            ratio = c["x"] / c["mean"]
            noise = half_width(c["variance"], c["rho"], INTERVAL_ALPHA) / c["mean"]
            # what the law varies by grows with what it varies around
            self._half = noise * np.maximum(ratio, 1.0) + BAND_Z * c["sd"] * ratio
            self._effect = ratio - 1.0

    def listed(self, rows: list[int]) -> list[SeriesEvidence]:
        """The entries that are listed: wholes, named segments, and whatever has moved."""
        moved = self._has_moved(np.array(rows))
        release, places = self._judged.release, self._judged.places
        return [
            self._entry(row)
            for row, own in zip(rows, moved.tolist(), strict=True)
            if own or release.arms is not None or is_explicit(places[row], release)
        ]

    def _has_moved(self, rows: Any) -> Bools:
        """Segments with the evidence to be selected, were they among as many as there are."""
        c = self._c
        with np.errstate(divide="ignore"):
            most: Floats = np.maximum(c["up"], c["down"])[rows] + np.log(c["share"][rows])
        moved: Bools = most + LOG_ALPHA + np.log(max(len(self._judged.places), 1)) >= 0
        return moved

    def _entry(self, row: int) -> SeriesEvidence:
        c, place = self._c, self._judged.places[row]
        effect, half = float(self._effect[row]), float(self._half[row])
        known = math.isfinite(effect)
        skipped = {
            note: int(c[name][row])
            for name, note in (
                ("empty", Note.NO_DATA),
                ("few", Note.TOO_FEW_UNITS),
                ("suspect", Note.BAD_DATA_QUALITY),
            )
            if c[name][row]
        }
        bounded = known and math.isfinite(half)
        interval = (_round(max(effect - half, -1.0)), _round(effect + half))
        return SeriesEvidence(
            dimension=",".join(place.dimensions) or "all",
            segment=place.segment,
            up=_log10(c["up"][row]),
            down=_log10(c["down"][row]),
            share=round_one(float(c["share"][row])),
            effect=_round(effect) if known else None,
            interval=interval if bounded else None,
            n=round_one(float(c["n"][row])),
            mde=_finite(self._mde[row]),
            buckets=int(c["judged"][row]),
            skipped=skipped,
            blocked=self._blocked(row),
        )

    def _blocked(self, row: int) -> Note | None:
        if self._c["incident"][row]:
            return Note.INCIDENT_AT_START
        if not self._c["ready"][row] and self._judged.release.arms is None:
            gone = Note.BUCKETS_GONE in self._judged.notes
            return Note.BUCKETS_GONE if gone else Note.LEARNING
        return None


def _round(effect: float) -> float:
    """A difference of two numbers near 1 holds no more digits than they do."""
    return round(effect, DIGITS) if math.isfinite(effect) else effect


def _finite(value: float) -> float | None:
    return round_one(float(value)) if math.isfinite(value) else None


def _log10(log: float) -> float | None:
    return _finite(log / LN10)
