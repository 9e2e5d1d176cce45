"""Chance that depends on nothing but the seed and what it is drawn for."""

import zlib
from typing import Final

import numpy as np

from monitor.ingest.synthetic.market import PHI, Floats, Ints

_OFFSET: Final = 2**40
"""Numbers of blocks and days may be negative; entropy may not."""


def generator(seed: int, purpose: str, number: int) -> np.random.Generator:
    """The generator of one block or day: the same whenever it is asked for."""
    entropy = (seed % 2**64, zlib.crc32(purpose.encode()), number + _OFFSET)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))


def counts(rng: np.random.Generator, mean: Floats) -> Ints:
    """Numbers of events with this mean and a variance of `PHI` times it."""
    # Of mean 0 the law has no parameters; what it would draw is 0.
    shape = np.maximum(mean / (PHI - 1), 1e-12)
    return np.asarray(rng.negative_binomial(shape, 1 / PHI))


def sizes(rng: np.random.Generator, clusters: int) -> Ints:
    """Sizes of clusters, at least 1; with Poisson numbers of clusters they make `counts`."""
    return np.asarray(rng.logseries(1 - 1 / PHI, clusters))


def copies(rng: np.random.Generator, factor: Floats) -> Ints:
    """How often each of some things happens instead of once: whole numbers with mean `factor`."""
    whole = np.floor(factor)
    return np.asarray((whole + (rng.random(factor.shape) < factor - whole)).astype(np.int64))
