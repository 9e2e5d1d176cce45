"""Series that the tests score."""

from collections.abc import Iterable

import numpy as np

from monitor.score import Judgement, SeriesScorer

STEP = 300
ROWS = 1500
BEGIN = 1_000


def noise(seed: int = 1, rows: int = ROWS) -> list[float]:
    """Independent values around 100."""
    values: list[float] = np.random.default_rng(seed).normal(100, 5, rows).tolist()
    return values


def seasonal(seed: int = 1, rows: int = ROWS, period: int = 96) -> list[float]:
    """A wave of 30 around 100, with noise of 3."""
    wave = 100 + 30 * np.sin(2 * np.pi * np.arange(rows) / period)
    values: list[float] = (wave + np.random.default_rng(seed).normal(0, 3, rows)).tolist()
    return values


def judged(values: Iterable[float], scorer: SeriesScorer | None = None) -> list[Judgement]:
    scorer = scorer or SeriesScorer()
    return [scorer.judge(value, STEP * row) for row, value in enumerate(values)]


def alerts(rows: list[Judgement]) -> list[int]:
    return [place for place, row in enumerate(rows) if row.alert]
