"""A canary is compared with the control's rate of the same time."""

from typing import Any

import numpy as np

from monitor.model.tick import LAWS
from monitor.release.arms import LEAST_DIFFERENCES, Arms, Compared

SHARE, MEAN = LAWS.index("beta_binomial"), LAWS.index("normal_mean")


def compare(arms: Arms, x_t: float, n_t: float, x_c: float, n_c: float, **more: Any) -> Compared:
    one = {"law": SHARE, "phi": 1.5, "min_units": 10.0, **more}
    return arms.compare(
        treatment=(np.array([x_t]), np.array([n_t])),
        control=(np.array([x_c]), np.array([n_c])),
        law=np.array([one["law"]]),
        phi=np.array([one["phi"]]),
        min_units=np.array([one["min_units"]]),
    )


def arms_of() -> Arms:
    arms = Arms()
    arms.add([7])
    return arms


def test_both_arms_are_noisy() -> None:
    found = compare(arms_of(), 30, 100, 200, 1000)
    assert found.usable.all()
    assert found.level[0] == 200.5 / 1001
    assert np.isclose(found.phi[0], 1.5 * 1.1)


def test_buckets_of_few_units_are_put_together() -> None:
    arms = arms_of()
    for _ in range(2):
        assert not compare(arms, 2, 20, 9, 90).usable.any()
    found = compare(arms, 2, 20, 9, 90)
    assert found.usable.all()
    assert (found.x[0], found.n[0]) == (6, 60)
    assert not compare(arms, 2, 20, 9, 90).usable.any(), "what was used is not used again"


def test_a_treatment_that_is_larger_waits_for_a_surer_control() -> None:
    assert compare(arms_of(), 20, 100, 50, 100).usable.all()
    assert not compare(arms_of(), 200, 1000, 50, 100).usable.any()


def test_without_a_learnt_dispersion_that_of_the_control_so_far_is_taken() -> None:
    rng, arms, found = np.random.default_rng(1), arms_of(), None
    for _ in range(LEAST_DIFFERENCES):
        x = rng.binomial(1000, 0.2)
        assert not compare(arms, 20, 100, x, 1000, phi=np.nan).usable.any()
    for _ in range(300):
        x = rng.normal(200, (200 * 0.8 * 3) ** 0.5)
        found = compare(arms, 20, 100, x, 1000, phi=np.nan)
    assert found is not None
    assert found.usable.all()
    assert 2.5 < found.phi[0] / 1.1 < 4.0


def test_a_mean_has_a_scale_of_its_own() -> None:
    rng, arms, found = np.random.default_rng(1), arms_of(), None
    for _ in range(300):
        found = compare(arms, 900, 90, 10 * 900 + rng.normal(0, 60), 900, law=MEAN, phi=np.nan)
    assert found is not None
    assert 0.03 < found.phi[0] / 1.1 < 0.06, "(60 / 9000)^2 times 900"


def test_what_was_put_together_is_forgotten_where_counting_begins_anew() -> None:
    arms = arms_of()
    compare(arms, 2, 20, 9, 90)
    arms.restart()
    assert not arms.table["n_t"].any()
    arms.release_rows(np.array([7]))
    assert arms.controls.tolist() == [-1]
