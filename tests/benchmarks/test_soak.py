import numpy as np
import pytest

from benchmarks.soak import chart, report, slope

SECONDS = np.arange(60) * 10.0


def noise(
    size: float, ar: float = 0.0, seed: int = 1
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    chance, out = np.random.default_rng(seed).normal(0, size, 60), np.zeros(60)
    for k in range(60):
        out[k] = chance[k] + (ar * out[k - 1] if k else 0)
    return out


def test_what_stays_is_flat() -> None:
    found = slope(SECONDS, 1000 + noise(0.5), 8.0)
    assert found.verdict == "flat"
    assert found.mean == pytest.approx(1000, abs=1)
    assert abs(found.hourly) <= found.error


def test_what_grows_is_found_with_its_growth_an_hour() -> None:
    found = slope(SECONDS, 1000 + SECONDS / 3600 * 300 + noise(0.5), 8.0)
    assert found.verdict == "GROWS"
    assert found.hourly == pytest.approx(300, abs=found.error)


def test_what_wanders_is_undecided_though_a_line_through_it_is_steep() -> None:
    wandering = 100 + noise(3.0, ar=0.98, seed=3)
    assert slope(SECONDS, wandering, 8.0).verdict == "undecided"


def test_a_constant_has_no_error() -> None:
    found = slope(SECONDS, [7.0] * 60, 1.0)
    assert (found.hourly, found.error) == pytest.approx((0.0, 0.0), abs=1e-9)
    assert found.verdict == "flat"


def test_a_few_samples_decide_nothing() -> None:
    samples = [(k * 10.0, {("tasks", "core"): 5.0 + k}) for k in range(8)]
    assert all(found is None for _, found in report(samples, 100))


def test_every_role_is_reported_with_a_chart() -> None:
    seen = {("memory, MB", "core"): 100.0, ("lag, events", "ingest"): 3.0}
    samples = [(k * 10.0, seen) for k in range(30)]
    told = {line.split()[0] + line.split()[1]: it for line, it in report(samples, 100) if it}
    assert told["corememory,"].verdict == told["ingestlag,"].verdict == "flat"


def test_a_chart_spans_low_to_high() -> None:
    assert chart([0, 1, 2, 7]) == "▁▂▃█"
    assert len(chart(range(1000))) == 60
