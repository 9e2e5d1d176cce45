"""`monitor score` beside river's detectors and a rolling z-score, on labelled series.

    python benchmarks/score.py --data kpi.npz [--rows 9000] [--at 0.22 0.45] [--quick]

Of every series a stretch is scored from nothing: it begins half of `--rows` before the first label of the
second half (with `--at`: one stretch for each of these shares of the series, where they do not overlap), and
the first third of it is not judged. `--quick` leaves river out. The figure is the point-adjusted F1 with k = 7: a
labelled stretch counts with all its rows if an alert falls on its first 8, and is missed with all of them
otherwise; every alert outside the labels is one false row. `monitor score` decides by itself. For every
other detector the best of its presets, and for that the threshold and the rows between two alerts (10 or
30) that are best on the labels, are searched for.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from river import anomaly, compose, linear_model, optim, preprocessing, stats, time_series

from monitor.score import SeriesScorer

K = 7
REFRACTORIES = (10, 30)
LEVELS = 1 - np.logspace(-4, -1, 60)


@dataclass(frozen=True, kw_only=True)
class Series:
    name: str
    times: np.ndarray
    values: np.ndarray
    labels: np.ndarray
    judged_from: int


def read(path: str, rows: int, shares: list[float]) -> list[Series]:
    data = np.load(path)
    found = []
    for name in sorted({key.split("|")[0] for key in data.files}):
        value, label = data[f"{name}|value"].astype(float), data[f"{name}|label"].astype(int)
        first_time, step, half = (int(x) for x in data[f"{name}|meta"])
        times = first_time + step * np.arange(len(value))
        begins: list[int] = []
        for after in [int(share * len(value)) for share in shares] or [half]:
            labelled = after + int(np.argmax(label[after:]))
            begin = max(0, min(labelled - rows // 2, len(value) - rows))
            if all(abs(begin - other) >= rows for other in begins):
                begins.append(begin)
        found += [
            Series(
                name=name,
                times=times[begin : begin + rows],
                values=value[begin : begin + rows],
                labels=label[begin : begin + rows],
                judged_from=rows // 3,
            )
            for begin in begins
        ]
    return found


def stretches(labels: np.ndarray) -> list[tuple[int, int]]:
    edges = np.diff(np.concatenate(([0], labels, [0])))
    return list(zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True))


def apart(strange: np.ndarray, refractory: int) -> np.ndarray:
    """One alert an anomaly: the first row, and none until so many in a line were ordinary."""
    at = np.flatnonzero(strange)
    first = np.diff(at, prepend=-refractory - 1) > refractory
    alerts = np.zeros(len(strange), dtype=bool)
    alerts[at[first]] = True
    return alerts


def counted(alerts: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Rows found, false rows, missed rows, stretches hit, stretches."""
    found = missed = hit = 0
    parts = stretches(labels)
    for begin, end in parts:
        if alerts[begin : min(end, begin + K + 1)].any():
            found += end - begin
            hit += 1
        else:
            missed += end - begin
    return np.array([found, int((alerts & (labels == 0)).sum()), missed, hit, len(parts)])


def f1(counts: np.ndarray) -> float:
    found, false, missed = counts[:3]
    return 2 * found / (2 * found + false + missed) if found else 0.0


def own(series: Series) -> tuple[np.ndarray, np.ndarray]:
    scorer = SeriesScorer()
    judged = [
        scorer.judge(value, at)
        for value, at in zip(series.values.tolist(), series.times.tolist(), strict=True)
    ]
    return np.array([j.evidence for j in judged]), np.array([j.alert for j in judged])


def rows_of(series: Series) -> Iterator[dict[str, float]]:
    """A value, its change, and its distance from the mean of the last hour."""
    mean = stats.EWMean(0.05)
    last = float(series.values[0])
    for value in series.values.tolist():
        mean.update(value)
        yield {"value": value, "change": value - last, "level": value - mean.get()}
        last = value


def gaussian(window: int | None) -> Callable[[Series], np.ndarray]:
    def run(series: Series) -> np.ndarray:
        model = anomaly.GaussianScorer(window_size=window, grace_period=100)
        scores = []
        for value in series.values.tolist():
            try:
                scores.append(model.score_one(None, value))
            except (TypeError, ZeroDivisionError):  # its rolling variance can round to less than 0
                scores.append(0.0)
            model.learn_one(None, value)
        return np.array(scores)

    return run


def of_rows(
    make: Callable[[], anomaly.HalfSpaceTrees | anomaly.LODA],
) -> Callable[[Series], np.ndarray]:
    def run(series: Series) -> np.ndarray:
        model = compose.Pipeline(preprocessing.MinMaxScaler(), make())
        scores = []
        for x in rows_of(series):
            scores.append(model.score_one(x))
            model.learn_one(x)
        return np.nan_to_num(np.array(scores))

    return run


def predictive(order: int, deviations: float) -> Callable[[Series], np.ndarray]:
    def run(series: Series) -> np.ndarray:
        model = anomaly.PredictiveAnomalyDetection(
            time_series.SNARIMAX(
                p=order,
                d=0,
                q=0,
                regressor=preprocessing.StandardScaler() | linear(),
            ),
            horizon=1,
            n_std=deviations,
            warmup_period=100,
        )
        scale = float(np.std(series.values[: series.judged_from])) or 1.0
        scores = []
        for value in (series.values / scale).tolist():
            scores.append(model.score_one(None, value))
            model.learn_one(None, value)
        return np.nan_to_num(np.array(scores))

    return run


def linear() -> preprocessing.TargetStandardScaler:
    return preprocessing.TargetStandardScaler(
        linear_model.LinearRegression(optimizer=optim.SGD(0.01), intercept_lr=0.1)
    )


def rolling_z(window: int) -> Callable[[Series], np.ndarray]:
    def run(series: Series) -> np.ndarray:
        values = series.values
        sums = np.cumsum(np.concatenate(([0.0], values)))
        squares = np.cumsum(np.concatenate(([0.0], values**2)))
        scores = np.zeros(len(values))
        mean = (sums[window:-1] - sums[: -window - 1]) / window
        variance = (squares[window:-1] - squares[: -window - 1]) / window - mean**2
        floor = 1e-3 * np.ptp(values) + 1e-12
        scores[window:] = np.abs(values[window:] - mean) / np.sqrt(np.maximum(variance, floor**2))
        return scores

    return run


def presets() -> dict[str, dict[str, Callable[[Series], np.ndarray]]]:
    return {
        "rolling z-score": {f"window {w}": rolling_z(w) for w in (20, 60, 240)},
        "river GaussianScorer": {f"window {w}": gaussian(w) for w in (60, 240, None)},
        "river HalfSpaceTrees": {
            f"{t} trees, height {h}, window {w}": of_rows(
                lambda t=t, h=h, w=w: anomaly.HalfSpaceTrees(
                    n_trees=t, height=h, window_size=w, seed=1
                )
            )
            for t, h, w in ((10, 8, 250), (25, 6, 1000))
        },
        "river LODA": {
            f"{b} bins, {c} cuts": of_rows(
                lambda b=b, c=c: anomaly.LODA(n_bins=b, n_random_cuts=c, seed=1)
            )
            for b, c in ((10, 25), (40, 25))
        },
        "river PredictiveAnomalyDetection": {
            f"order {p}, {n} deviations": predictive(p, n) for p, n in ((8, 3), (8, 12))
        },
    }


def best(scores: list[np.ndarray], all_series: list[Series]) -> tuple[np.ndarray, str]:
    """The counts with the threshold and rows between alerts that are best over all series, and those."""
    judged = [
        (s[x.judged_from :], x.labels[x.judged_from :])
        for s, x in zip(scores, all_series, strict=True)
    ]
    pooled = np.concatenate([s for s, _ in judged])
    tried = []
    for threshold in np.unique(np.quantile(pooled, LEVELS)):
        for rows in REFRACTORIES:
            counts = [counted(apart(s >= threshold, rows), labels) for s, labels in judged]
            tried.append((f1(sum(counts)), f">= {threshold:.4g}, {rows} rows", counts))
    top = max(tried, key=lambda t: t[0])
    return np.array(top[2]), top[1]


def by_series(counts: np.ndarray, all_series: list[Series]) -> list[np.ndarray]:
    """The counts of all stretches of a series together."""
    sums: dict[str, np.ndarray] = {}
    for series, found in zip(all_series, counts, strict=True):
        sums[series.name] = sums.get(series.name, 0) + found
    return list(sums.values())


def line(
    name: str, counts: np.ndarray, all_series: list[Series], seconds: float, preset: str
) -> None:
    total = counts.sum(axis=0)
    mean = np.mean([f1(c) for c in by_series(counts, all_series) if c[4]])
    rows = sum(len(s.values) for s in all_series)
    judged = rows * 2 / 3
    print(
        f"| {name} | {f1(total):.3f} | {mean:.3f} | {total[3]} of {total[4]} "
        f"| {1000 * total[1] / judged:.2f} | {rows / seconds:,.0f} | {preset} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--rows", type=int, default=9000)
    parser.add_argument("--at", type=float, nargs="+", default=[])
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    series = read(options.data, options.rows, options.at)
    rows = sum(len(s.values) for s in series)
    labelled = sum(int(s.labels.sum()) for s in series)
    print(f"{len(series)} stretches, {rows:,} rows, {labelled:,} of them labelled\n")
    print("| detector | F1 | mean F1 | stretches hit | false per 1,000 rows | rows/s | preset |")
    print("|---|---:|---:|---:|---:|---:|---|")
    began = time.process_time()
    results = [own(s) for s in series]
    seconds = time.process_time() - began
    counts = [
        counted(alerts[s.judged_from :], s.labels[s.judged_from :])
        for (_, alerts), s in zip(results, series, strict=True)
    ]
    line("monitor score", np.array(counts), series, seconds, "its one preset")
    for name, choices in presets().items():
        if options.quick and "river" in name:
            continue
        tried = []
        for preset, run in choices.items():
            began = time.process_time()
            scores = [run(s) for s in series]
            seconds = time.process_time() - began
            found, threshold = best(scores, series)
            tried.append((f1(found.sum(axis=0)), found, seconds, f"{preset}; {threshold}"))
        _, found, seconds, preset = max(tried, key=lambda t: t[0])
        line(name, found, series, max(seconds, 1e-9), preset)


if __name__ == "__main__":
    main()
