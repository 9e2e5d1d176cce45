"""Lines a second through `monitor replay` with the example configuration, one core.

    python benchmarks/replay.py [lines]

A day of a shop's events, one line each, at two densities: what a line costs, and what a bucket does. Beside
each the bare msgspec decode of the same lines into the same struct; the ratio is what the machine
cannot change. Then the same with an injected shift, and with a page. Also prints how often the guard finds
a fall of the size that the table calls detectable.
"""

import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import process_time

import numpy as np
from guard import World, traits_of

from monitor.definitions import compile_plan, load
from monitor.definitions.plan import Plan
from monitor.embedded.inject import parse_injection
from monitor.embedded.outputs import Buckets, FileOutputs
from monitor.embedded.record import Recorder
from monitor.embedded.replay import Replay
from monitor.embedded.trial import Trial
from monitor.guard import Guard
from monitor.guard.detectable import minimum_detectable_shift
from monitor.ingest.envelope import Envelope
from monitor.ingest.files import open_files
from monitor.model.tick import Expectation, Observation
from monitor.model.time import DAY, MINUTE, SECOND, to_rfc3339

START_US = 20_400 * DAY
COUNTRIES, PLATFORMS = ["DE", "FR", "US", "GB"], ["ios", "android", "web"]
NAMES = ["request"] * 5 + ["view"] * 3 + ["session"] + ["order"]


def lines(count: int, density: float) -> list[bytes]:
    rng = random.Random(7)
    out = []
    for i in range(count):
        name = rng.choice(NAMES)
        where = f'"country":"{rng.choice(COUNTRIES)}","platform":"{rng.choice(PLATFORMS)}"'
        values = ""
        if name == "request":
            where += f',"status":"{"error" if rng.random() < 0.02 else "ok"}"'
            values = f',"values":{{"duration_ms":{rng.randrange(20, 900)}}}'
        elif name == "order":
            values = f',"values":{{"amount":{rng.randrange(500, 9000) / 100}}}'
        time = to_rfc3339(START_US + int(i / density * SECOND) // 1000 * 1000)
        out.append(
            f'{{"event_id":"e{i:08d}","name":"{name}","time":"{time}",'
            f'"actor":"u{rng.randrange(20_000)}","dimensions":{{{where}}}{values}}}'.encode()
        )
    return out


def replay(
    path: Path, plan: Plan, *, injections: Sequence[str] = (), page: bool = False, best_of: int = 3
) -> float:
    best = 1e9
    for _ in range(best_of):
        with tempfile.TemporaryDirectory() as folder:
            outputs = FileOutputs(
                Path(folder), buckets=Buckets.ALL, restatement_window_us=plan.restatement_window_us
            )
            began = process_time()
            with outputs:
                run = Replay(
                    open_files([str(path)]),
                    plan=plan,
                    fields=None,
                    clock=lambda: START_US * 2,
                    sink=outputs,
                    trials=[Trial(plan, parse_injection(text, plan)) for text in injections],
                    recorder=Recorder(plan) if page else None,
                )
                run.run()
                outputs.finish(run.summary(1.0))
            best = min(best, process_time() - began)
    return best


def speed(count: int, plan: Plan) -> None:
    decode = Envelope().decode
    for density in (1000, 20):
        payloads = lines(count, density)
        bare = 1e9
        for _ in range(2):
            began = process_time()
            for payload in payloads:
                decode(payload)
            bare = min(bare, process_time() - began)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "events.ndjson"
            path.write_bytes(b"\n".join(payloads))
            took = replay(path, plan)
            at = to_rfc3339(START_US + int(count / density / 2) * SECOND)
            injected = replay(path, plan, injections=[f"orders,country=DE:-20%@{at}"])
            with_page = replay(path, plan, page=True)
        print(
            f"{density:>5} lines/s of event time ({density * 60:,} a bucket of 1 min): "
            f"{count / took:>8,.0f} lines/s, {bare / took:.2f} of a bare decode "
            f"({count / bare:,.0f}/s); with one injection from the middle on "
            f"{count / injected:,.0f}, with a page {count / with_page:,.0f}"
        )


def detectable() -> None:
    """How often a fall of the detectable size is found in time: counts, phi = 2, 400 series."""
    series, phi, eps, log_a = 400, 2.0, 0.02, float(np.log(129_600.0))
    print("a fall of the minimum detectable size, found in time (counts, phi 2, 1 per 90 d):")
    for n, horizon in ((100, 60), (100, 1440), (1000, 12), (1000, 60), (1000, 1440), (10_000, 60)):
        fall = minimum_detectable_shift(
            relative_variance=phi / n, eps=eps, log_threshold=log_a, buckets=horizon
        )
        rng, guard, found = (
            np.random.default_rng(2),
            Guard(bucket_us=MINUTE),
            np.zeros(series, bool),
        )
        guard.append(series)
        traits = traits_of(World(name="plain"), series, 129_600.0)
        expected = Expectation(
            level=np.full(series, float(n)),
            units=np.full(series, float(n)),
            phi=np.full(series, phi),
            sd_level=np.full(series, 0.0),
            ready=np.full(series, True),
            learning_us=np.full(series, 0),
        )
        for k in range(20 + horizon):
            mean = n * (1 - (fall if k >= 20 else 0.0))
            x = rng.negative_binomial(mean / (phi - 1), 1 / phi, series).astype(float)
            start = START_US + k * MINUTE
            seen = Observation(
                start_us=start, end_us=start + MINUTE, x=x, n=x, observed=np.full(series, True)
            )
            found |= guard.step(seen, expected, traits).opened
        print(
            f"  n = {n:>6} a bucket, {horizon:>4} buckets: {fall:6.1%} found in {found.mean():.0%}"
        )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000
    plan = compile_plan(load(Path("config"), environment={}), shards=1)
    print(f"{count:,} lines, {len(plan.metrics)} metrics of config/")
    speed(count, plan)
    detectable()


if __name__ == "__main__":
    main()
