"""How much of a series is left: what has faded pages nobody."""

import numpy as np
import pytest

from monitor.guard.volume import FADED, Volume
from monitor.model.time import DAY, HOUR

HOURS = np.arange(24 * 7 * 8)
OFFICE = np.where((HOURS % 24 >= 9) & (HOURS % 24 < 17) & (HOURS // 24 % 7 < 5), 1000.0, 2.0)


def weeks(volume: Volume, units: np.ndarray) -> np.ndarray:
    """Hours of one series; what is left of it after each, NaN where it has not faded."""
    volume.table.append(1)
    yes, found = np.ones(1, dtype=bool), []
    for n in units:
        one = np.array([n])
        with np.errstate(all="ignore"):  # as within the guard
            volume.learn(one, one, heard=one > 0, counts=yes)
        found.append(volume.faded()[0])
    return np.array(found)


def test_the_weekend_of_an_office_is_no_fading() -> None:
    assert np.isnan(weeks(Volume(HOUR), OFFICE)).all()


def test_what_grows_or_starts_has_not_faded() -> None:
    assert np.isnan(weeks(Volume(HOUR), 1.01**HOURS)).all()


def test_an_app_version_that_people_leave_has_faded_once_a_quarter_is_left() -> None:
    days = np.maximum(1000.0 * np.minimum(1.0, 0.6 ** (HOURS / 24 - 21)), 1.0)
    left = weeks(Volume(HOUR), days)
    first = int(np.flatnonzero(np.isfinite(left))[0]) / 24
    assert 24 <= first <= 30
    assert left[-1] == pytest.approx(0.005, abs=0.02)


def test_silence_fades_too() -> None:
    day = np.where(HOURS < 24 * 28, 100.0, 0.0)
    left = weeks(Volume(HOUR), day)
    assert np.isnan(left[: 24 * 32]).all(), "it is told as silence long before"
    assert left[-1] < FADED


@pytest.mark.parametrize("bucket_us", [HOUR, DAY])
def test_nothing_known_is_not_faded(bucket_us: int) -> None:
    volume = Volume(bucket_us)
    volume.table.append(2)
    assert np.isnan(volume.faded()).all()
