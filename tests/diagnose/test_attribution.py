import numpy as np
import pytest

from monitor.diagnose import blamed_segments
from monitor.diagnose.attribution import deviance
from monitor.guard import Guard
from monitor.model.tick import Decision, Expectation, Traits
from monitor.model.time import MINUTE
from tests.contracts.flow import SHARE, make_expectation, make_traits, observe


def decide(x: list[float], n: list[float]) -> tuple[Decision, Expectation, Traits]:
    """A whole (row 0) and its segments, at these values for 8 buckets; 20 % are expected of each."""
    size = len(x)
    traits = make_traits(size, SHARE, parent=[-1] + [0] * (size - 1), log_threshold=np.log(1000.0))
    expected = make_expectation(size, level=0.2, units=np.array(n), phi=2.0)
    guard = Guard(bucket_us=MINUTE)
    guard.append(size)
    decisions = [guard.step(observe(k, x, n), expected, traits) for k in range(8)]
    return decisions[-1], expected, traits


def test_the_segment_that_explains_most_is_named_first() -> None:
    """Segment 2 fell most; segment 1 fell less; 3 stands; 4 is tiny and fell to nothing."""
    decided = decide([1200, 360, 400, 400, 0.0], [8000, 2000, 4000, 2000, 12])
    assert decided[0].open[0]
    named = blamed_segments(0, *decided)
    rows = [row for row, _ in named]
    assert rows[0] == 2
    assert 3 not in rows
    figures = named[0][1]
    assert figures["relative_shift"] == pytest.approx(-0.5)
    assert figures["value"] == pytest.approx(0.1)
    assert figures["expected"] == pytest.approx(0.2)
    assert figures["n"] == 8 * 4000
    assert figures["evidence"] == pytest.approx(decided[0].log_m[2] / np.log(10))


def test_nobody_is_named_without_evidence() -> None:
    assert blamed_segments(0, *decide([1600, 400, 400], [8000, 2000, 2000])) == []
    assert blamed_segments(1, *decide([1000, 400, 400], [8000, 2000, 2000])) == []


def test_segments_that_are_not_judged_are_not_named() -> None:
    decision, expected, traits = decide([500, 200, 300], [4000, 2000, 2000])
    assert blamed_segments(0, decision, expected, traits)
    learning = make_expectation(3, level=0.2, units=2000.0, phi=2.0, ready=[True, False, False])
    assert blamed_segments(0, decision, learning, traits) == []


def test_deviance_is_g_squared_over_phi() -> None:
    decision, expected, traits = decide([1000, 300], [4000, 2000])
    (found,) = deviance(np.array([1]), decision, expected, traits)
    x, m, n = 8 * 300.0, 8 * 400.0, 8 * 2000.0
    g2 = 2 * (x * np.log(x / m) + (n - x) * np.log((n - x) / (n - m)))
    assert found == pytest.approx(g2 / 2.0)
