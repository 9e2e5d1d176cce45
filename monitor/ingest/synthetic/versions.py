"""App versions: a new one every two weeks, taken up over days; the web's reaches everybody in an hour.

Who draws a small number takes versions up early, every time: shares of versions only rise, then fade.
"""

from typing import Final

import numpy as np

from monitor.ingest.synthetic.market import PLATFORMS, Floats
from monitor.model.time import DAY, HOUR

KEPT: Final = 3
"""Versions of a platform that are in use at once; older ones have gone."""
_EVERY: Final = 14 * DAY
_SHIFT: Final = {"android": 3 * DAY, "ios": 8 * DAY, "web": 1 * DAY}
"""Each platform releases on a day of its own."""
_TAKE_UP: Final = {"android": 60 * HOUR, "ios": 36 * HOUR, "web": HOUR // 3}
_FIRST: Final = 1_735_689_600_000_000  # 2025-01-01


def in_use(platform: int, time_us: int) -> list[str]:
    """The newest versions of a platform, newest first; `KEPT` of them."""
    number = _number(platform, time_us)
    return [f"8.{max(number - back, 0)}.0" for back in range(KEPT)]


def shares(platform: int, time_us: int) -> Floats:
    """The share of each of `in_use` in the platform's traffic; they add up to 1."""
    name = PLATFORMS[platform]
    age = (time_us - _FIRST - _SHIFT[name]) % _EVERY
    ages = age + np.arange(KEPT - 1) * _EVERY
    taken = np.append(1 - np.exp(-ages / _TAKE_UP[name]), 1.0)
    return np.diff(taken, prepend=0.0)


def _number(platform: int, time_us: int) -> int:
    return (time_us - _FIRST - _SHIFT[PLATFORMS[platform]]) // _EVERY
