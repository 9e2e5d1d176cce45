"""The ten checks of the guard, each with its figure beside its target."""

from collections.abc import Iterator
from dataclasses import dataclass

import attribution
import numpy as np
from scipy.stats import betabinom, binom, chi2, nbinom, poisson
from worlds import READY_DAY, START_US, TARGET_DAYS, Source, World, simulate, traits_of

from monitor.guard import Guard
from monitor.guard.bets import DELTAS, UP, Bets, scale
from monitor.model.tick import Expectation, Observation
from monitor.model.time import MINUTE
from monitor.stats import beta_binomial, laws
from monitor.stats.decomposition import kitagawa
from monitor.stats.selection import e_benjamini_hochberg

A_90_DAYS = TARGET_DAYS * 1440.0
MOST_LOG = 700.0
"""Log of what is paid where next to nothing of the mass is: above, it is infinite."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the table."""

    number: int
    what: str
    figure: str
    target: str
    holds: bool


def expectation(size: int, **values: float | np.ndarray) -> Expectation:
    """A baseline without error."""

    def full(value: float | np.ndarray) -> np.ndarray:
        return np.array(np.broadcast_to(value, size), dtype=float)

    level = values.get("level", 1000.0)
    return Expectation(
        level=full(level),
        units=full(values.get("units", level)),
        phi=full(values.get("phi", 1.0)),
        sd_level=full(0.0),
        ready=np.ones(size, bool),
        learning_us=np.zeros(size, np.int64),
    )


def shares(rng: np.random.Generator, n: np.ndarray, p: np.ndarray, phi: float) -> np.ndarray:
    total = np.maximum((n - phi) / (phi - 1), 1e-3) if phi > 1 else None
    return rng.binomial(n.astype(int), p if total is None else rng.beta(p * total, (1 - p) * total))


def known(
    n: np.ndarray,
    shift: np.ndarray,
    *,
    buckets: int,
    phi: float = 2.0,
    assumed: float = 0.0,
    band: float = 0.02,
    log_threshold: float = 0.0,
    seed: int = 3,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A share of .2 whose baseline is known, shifted from the first bucket on.

    Returns:
        Buckets to the first alarm (infinite where none), alarms, and closings by row.
    """
    size, rng = n.size, np.random.default_rng(seed)
    guard = Guard(bucket_us=MINUTE)
    guard.append(size)
    traits = traits_of(World(name="", law="beta_binomial"), size, A_90_DAYS)
    traits.min_relative_shift[:] = band
    if log_threshold:
        traits.log_threshold[:] = log_threshold
    expected = expectation(size, level=0.2, units=n, phi=assumed or phi)
    first, alarms, closed = np.full(size, np.inf), np.zeros(size), np.zeros(size)
    for k in range(buckets):
        x = shares(rng, n, 0.2 * (1 + shift), phi).astype(float)
        start = START_US + k * MINUTE
        seen = Observation(
            start_us=start, end_us=start + MINUTE, x=x, n=n, observed=np.ones(size, bool)
        )
        decision = guard.step(seen, expected, traits)
        first = np.where(decision.opened & np.isinf(first), k + 1.0, first)
        alarms += decision.opened
        closed += decision.closed
    return first, alarms, closed


def optimum(n: float, drop: float, phi: float = 2.0, p: float = 0.2) -> float:
    """Mean delay, in buckets, of a Brownian CUSUM of the known shift at one false alarm in A buckets.

    Drift of the log likelihood ratio a bucket: n KL(p (1 - drop), p) / phi; run lengths (e^h - h - 1) / drift
    and delays (h - 1 + e^-h) / drift (Siegmund, Sequential Analysis, 1985).
    """
    q = p * (1 - drop)
    drift = n * (q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))) / phi
    low, high = 0.0, 50.0
    for _ in range(80):
        h = (low + high) / 2
        low, high = (h, high) if np.expm1(h) - h < A_90_DAYS * drift else (low, h)
    return max(1.0, (low - 1 + np.exp(-low)) / drift)


def payoff_expectations() -> Iterator[float]:
    """Enumerated E[L] of every bet under nulls inside the band."""
    for phi in (1.0, 1.3, 2.0, 5.0):
        for n in (20.0, 100.0, 1000.0):
            for law in ("negative_binomial", "beta_binomial"):
                level = n if law == "negative_binomial" else 0.2
                for eps in (0.02, 0.05):
                    yield from _expected(law, level, n, phi, eps)


def _expected(law: str, level: float, n: float, phi: float, eps: float) -> Iterator[float]:
    count = law == "negative_binomial"
    x = np.arange(0.0, (n + 60 * np.sqrt(phi * n) if count else n) + 1)
    size, bets = x.size, Bets()
    traits = traits_of(World(name="", law=law), size, A_90_DAYS)
    traits.min_relative_shift[:] = eps
    expected = expectation(size, level=level, units=n, phi=phi)
    units = x if count else np.full(size, n)
    seen = Observation(start_us=0, end_us=1, x=x, n=units, observed=np.ones(size, bool))
    with np.errstate(all="ignore"):
        scaled = scale(seen, expected, traits)
        log = bets.pay(seen, expected, scaled, traits).log
    paid = np.exp(np.minimum(log, MOST_LOG))
    active = bets.active(expected, scaled, traits)
    for null in (-eps, 0.0, eps):
        mass = _mass(x, n, level * (1 + null), phi, count=count)
        total = np.where(active, paid * mass[:, None], 0.0).sum(axis=0)
        inside = UP if null == eps else ~UP if null == -eps else np.ones(DELTAS.size, bool)
        yield float(total[inside].max())


def _mass(x: np.ndarray, n: float, mean: float, phi: float, *, count: bool) -> np.ndarray:
    if count:
        if phi <= 1:
            return poisson.pmf(x, mean)
        return nbinom.pmf(x, mean / (phi - 1.0), 1.0 / phi)
    if phi <= 1:
        return binom.pmf(x, n, mean)
    total = float(beta_binomial.size(np.array([n]), np.array([phi]))[0])
    return betabinom.pmf(x, n, mean * total, (1.0 - mean) * total)


def one() -> Check:
    worst = max(payoff_expectations())
    return Check(
        number=1,
        what="largest enumerated E[L] of a bet, nulls inside the band",
        figure=f"1 {worst - 1:+.1e}",
        target="<= 1 + 1e-9",
        holds=worst <= 1 + 1e-9,
    )


def two(rows: int) -> Check:
    n = np.full(rows, 1000.0)
    edge = np.where(np.arange(rows) % 2 == 0, 0.02, -0.02)
    first, _, _ = known(n, edge, buckets=500, log_threshold=np.log(1000.0))
    share = float(np.isfinite(first).mean())
    return Check(
        number=2,
        what="share alarmed within 500 buckets at the edge of the band, A = 1,000",
        figure=f"{share:.3f}",
        target="<= .5",
        holds=share <= 0.5,
    )


def three(rows: int, days: int) -> Check:
    world = World(name="season, phi 2, AR(.95) of 2 %", ar=0.02)
    run = simulate(world, series=rows, days=days, minutes=5, per_period=A_90_DAYS)
    total, alarms = rows * (days - READY_DAY) * 288, len(run.alarms)
    bound = total / (chi2.ppf(0.95, 2 * alarms + 2) / 2)
    length = total / max(alarms, 1)
    return Check(
        number=3,
        what=f"run length of the whole flow, season + phi 2 + AR(.95) ({alarms} alarms)",
        figure=f"{length:,.0f} (95 % bound {bound:,.0f})",
        target=">= 129,600 (>= 100,000)",
        holds=length >= A_90_DAYS and bound >= 100_000,
    )


def four(rows: int) -> Check:
    drop = np.repeat([-0.1, -0.2], rows)
    first, _, _ = known(np.full(2 * rows, 1000.0), drop, buckets=300)
    ten, twenty = first[:rows].mean(), first[rows:].mean()
    return Check(
        number=4,
        what="mean delay at n = 1,000 a minute, -10 %; -20 %",
        figure=f"{ten:.1f}; {twenty:.1f}",
        target="<= 32; <= 9",
        holds=ten <= 32 and twenty <= 9,
    )


def six(rows: int) -> Check:
    n, buckets = np.full(rows, 1000.0), 1000
    _, alarms, _ = known(n, np.zeros(rows), buckets=buckets, assumed=1.0, band=0.0)
    rate = alarms.sum() / (rows * buckets) * A_90_DAYS
    _, honest, _ = known(n, np.zeros(rows), buckets=buckets, band=0.0)
    return Check(
        number=6,
        what="the test has teeth: false alarms per 90 days, phi = 2 ignored, no band "
        f"(phi known: {honest.sum() / (rows * buckets) * A_90_DAYS:.1f})",
        figure=f"{rate:.0f}",
        target="> 50",
        holds=bool(rate > 50),
    )


def seven(rows: int, days: int) -> list[Check]:
    """Null series of one budget; and who is listed when one segment of ten falls."""
    pages = (days - READY_DAY) / 30
    world = World(name="500 null series")
    run = simulate(world, series=rows, days=days, minutes=15, per_period=30 * 96 * rows)
    budget = Check(
        number=7,
        what=f"pages of {rows} null series in {days - READY_DAY} days, one budget of 1 in 30 days",
        figure=f"{len(run.alarms)}",
        target=f"<= {pages:.0f}",
        holds=len(run.alarms) <= pages,
    )
    rng, false, listed, power = np.random.default_rng(5), 0, 0, 0
    segments, incidents = 10, rows
    size = segments * incidents
    guard = Guard(bucket_us=MINUTE)
    guard.append(size)
    traits = traits_of(world, size, A_90_DAYS * 20)
    expected, guilty = expectation(size, level=100.0, phi=2.0), np.arange(size) % segments == 0
    for k in range(40):
        x = rng.negative_binomial(100.0 * np.where(guilty, 0.6, 1.0), 0.5).astype(float)
        start = START_US + k * MINUTE
        seen = Observation(
            start_us=start, end_us=start + MINUTE, x=x, n=x, observed=np.ones(size, bool)
        )
        decision = guard.step(seen, expected, traits)
    for first in range(0, size, segments):
        mine = slice(first, first + segments)
        named = e_benjamini_hochberg(decision.log_m[mine], traits.log_threshold[mine])
        listed += bool(named.any())
        power += bool(named[0])
        false += float(named[1:].sum()) / max(int(named.sum()), 1)
    share = false / incidents
    fdp = Check(
        number=7,
        what=f"false share of the listed segments in an incident ({power / incidents:.0%} list the guilty one)",
        figure=f"{share:.2%}",
        target="<= 1 %",
        holds=share <= 0.01 and power > 0.9 * incidents,
    )
    return [budget, fdp]


def eight(runs: int) -> Check:
    """A canary: treatment against the control's share of the same minute, looked at every minute."""
    rng, alpha, eps = np.random.default_rng(8), 0.01, 0.01
    minutes, log_e = 360, np.zeros((runs, DELTAS.size))
    best = np.full(runs, -np.inf)
    for k in range(minutes):
        p = 0.2 * (1 + 0.15 * np.sin(2 * np.pi * k / 240))
        n = np.full(runs, 200.0)
        treated, control = (shares(rng, n, np.full(runs, p), 2.0) for _ in range(2))
        level = np.clip((control + 0.5) / (n + 1), 1e-3, 0.6)
        log_e += laws.log_ratio(
            laws.BETA_BINOMIAL,
            x=np.repeat(treated[:, None], DELTAS.size, 1).astype(float),
            n=np.repeat(n[:, None], DELTAS.size, 1),
            level=np.repeat(level[:, None], DELTAS.size, 1),
            mean=np.repeat((n * level)[:, None], DELTAS.size, 1),
            phi=np.full((runs, DELTAS.size), 4.0),
            null=np.where(UP, eps, -eps) + np.zeros((runs, DELTAS.size)),
            alternative=np.minimum(DELTAS, 0.5 * (1 / level[:, None] + 1 + eps) - 1),
        )
        top = log_e.max(axis=1)
        best = np.maximum(best, top + np.log(np.exp(log_e - top[:, None]).mean(axis=1)))
    share = float((best >= np.log(1 / alpha)).mean())
    return Check(
        number=8,
        what=f"canary without effect, {minutes} looks under a season, {runs:,} runs: alarms at alpha = .01",
        figure=f"{share:.2%}",
        target="<= 1 %",
        holds=share <= alpha,
    )


def nine(rows: int) -> list[Check]:
    drop = np.repeat([-0.1, -0.2, -0.5, 0.3], rows)
    first, _, closed = known(np.full(drop.size, 1000.0), drop, buckets=360 + 60)
    share = float((closed > 0).mean())
    resolves = Check(
        number=9,
        what=f"false resolves of incidents of 6 h ({np.isfinite(first).mean():.0%} found)",
        figure=f"{share:.2%}",
        target="<= 1 %",
        holds=share <= 0.01,
    )
    return [resolves, *(_bias(day, rows) for day in (8, 40))]


def _bias(day: int, rows: int) -> Check:
    world = World(name="fault in the window", n=20_000.0, phi=1.0)
    begin = day + 9 / 24
    days = max(day + 9.0, READY_DAY + 5.0)
    worst: list[float] = []
    source = Source(world, 1, 60, 0)

    def fallen(at: float) -> float:
        return 0.5 if begin - 1e-9 <= at < begin + 0.25 - 1e-9 else 1.0

    for hour in (4, 9, 12, 20):
        end = days + hour / 24
        run = simulate(world, series=rows, days=end + 1 / 24, minutes=60, shift=fallen)
        level = np.nan if run.expected is None else float(np.mean(run.expected.level))
        worst.append(abs(level / (20_000.0 * source.season(end)) - 1))
    return Check(
        number=9,
        what=f"bias left by -50 % for 6 h on day {day}, largest of four hours of the day",
        figure=f"{max(worst):.2%}",
        target="<= 1 %",
        holds=max(worst) <= 0.01,
    )


def ten(trials: int) -> list[Check]:
    return [_exact(), _first_place(trials), _odd_bucket()]


def _exact() -> Check:
    """Rate effect and mix effect against the change that they split."""
    rng, worst = np.random.default_rng(10), 0.0
    for _ in range(2000):
        size = int(rng.integers(2, 40))
        before, after = (np.exp(rng.uniform(-2, 10, size)) for _ in range(2))
        before, after = before / before.sum(), after / after.sum()
        usual, rate = (rng.beta(0.5, 0.5, size) for _ in range(2))
        found = kitagawa(before, usual, after, rate)
        change = float((after * rate).sum() - (before * usual).sum())
        worst = max(worst, abs(found.rate_effect + found.mix_effect - change))
    return Check(
        number=10,
        what="rate and mix effects against the change that they split, largest error of 2,000",
        figure=f"{worst:.0e}",
        target="<= 1e-12",
        holds=worst <= 1e-12,
    )


def _first_place(trials: int) -> Check:
    tally = attribution.measure(trials, 1)
    hits = tally.right["0 all"]
    naive = np.mean(tally.right["1 (largest relative drop)"])
    share = float(np.mean(hits))
    return Check(
        number=10,
        what=f"first segment of {len(hits)} alerts after a single fault of 15-50 % (largest relative drop: {naive:.0%})",
        figure=f"{share:.1%}",
        target=">= 95 %",
        holds=share >= 0.95,
    )


def _odd_bucket() -> Check:
    """Whatever one bucket holds, the next is as expected."""
    pages = 0
    for law in ("negative_binomial", "beta_binomial", "normal_sum", "normal_mean"):
        level = {"beta_binomial": 0.2, "normal_mean": 30.0}.get(law, 1000.0)
        total = law in ("negative_binomial", "normal_sum")
        mean = level if total else level * 1000.0
        odd = np.array([0.0, 0.5, 0.9, 1.1, 2.0, 4.9, 100.0]) * mean
        if law == "beta_binomial":
            odd = np.minimum(odd, 1000.0)
        guard = Guard(bucket_us=MINUTE)
        guard.append(odd.size)
        traits = traits_of(World(name="", law=law), odd.size, A_90_DAYS)
        expected = expectation(odd.size, level=level, units=1000.0, phi=2.0)
        for k in range(6):
            x = odd if k == 2 else np.full(odd.size, mean)
            n = x if law == "negative_binomial" else np.full(odd.size, 1000.0)
            start = START_US + k * MINUTE
            seen = Observation(
                start_us=start, end_us=start + MINUTE, x=x, n=n, observed=np.ones(odd.size, bool)
            )
            pages += int(guard.step(seen, expected, traits).opened.sum())
    return Check(
        number=10,
        what="pages after one odd bucket, 4 laws x 7 sizes",
        figure=f"{pages}",
        target="0",
        holds=pages == 0,
    )
