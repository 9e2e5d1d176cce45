"""The judge of the chaos: content with what is right, and not with anything else."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest

from monitor.model.record import Stream
from tests.system.chaos import truth, world
from tests.system.chaos.run import replayed
from tests.system.chaos.truth import Journal, Verdict
from tests.system.chaos.world import DAY, World
from tests.system.running import configured

pytestmark = pytest.mark.slow  # a replay of three days, and comparisons of all its cells

END = 1_760_000_400_000 // DAY * DAY


@dataclass
class Letter:
    value: bytes


@dataclass
class Case:
    """A world of two days, and what a replay makes of it."""

    world: World
    kept: dict[Stream, dict[str, bytes]]

    def judged(self, change: Callable[[dict[str, bytes]], None]) -> set[str]:
        """What does not fit once the buckets were changed."""
        buckets = truth.closed(self.kept[Stream.BUCKETS])
        change(buckets)
        verdict = Verdict()
        truth.check_cells(verdict, self.world.truth, buckets)
        truth.check_replay(verdict, buckets, self.kept[Stream.BUCKETS])
        return set(verdict.faults)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("truth")
    text = world.service(
        broker="localhost:1", prefix="p", shards=1, port=1, alertmanager="localhost:2"
    )
    config = configured(folder / "config", text, world.METRICS)
    made = World(seed=3, events=3_000, days=2, end=END)
    return Case(made, replayed(config, made.write(folder)))


def edit(buckets: dict[str, bytes], metric: str, **by: float) -> None:
    """Change the first segment of the newest bucket of a metric that has some."""
    key = max(k for k, v in buckets.items() if k.startswith(f"{metric}|all|") and has_units(v))
    body = json.loads(buckets[key])
    for name, more in by.items():
        body[name][0] += more
    buckets[key] = json.dumps(body).encode()


def has_units(value: bytes) -> bool:
    body = json.loads(value)
    return "segments" in body and bool(body["n"][0])


def test_an_undisturbed_replay_is_what_the_world_says(case: Case) -> None:
    assert case.judged(lambda buckets: None) == set()
    assert len(case.world.truth.letters) > 0


@pytest.mark.parametrize("kind", ["orders", "error_rate", "active_users", "activation", "checkout"])
def test_one_unit_too_many_is_found(case: Case, kind: str) -> None:
    found = case.judged(lambda buckets: edit(buckets, kind, n=1))
    assert found == {"cells: number", "sums over all buckets", "buckets as in a replay"}


@pytest.mark.parametrize("kind", ["revenue", "order_value", "error_rate", "checkout", "day_one"])
def test_a_wrong_value_is_found(case: Case, kind: str) -> None:
    found = case.judged(lambda buckets: edit(buckets, kind, value=0.25))
    assert found == {"cells: value", "buckets as in a replay"}


def test_a_wrong_quotient_and_a_wrong_quantile_are_found(case: Case) -> None:
    derived = case.judged(lambda buckets: edit(buckets, "revenue_per_user", value=0.25))
    assert derived == {"cells: derived", "buckets as in a replay"}
    quantile = case.judged(lambda buckets: edit(buckets, "latency_p95", value=1))
    assert quantile == {"buckets as in a replay"}


def test_a_bucket_that_is_missing_and_one_that_nobody_sent_are_found(case: Case) -> None:
    def lose(buckets: dict[str, bytes]) -> None:
        del buckets[next(k for k, v in buckets.items() if k.startswith("orders|") and has_units(v))]

    def invent(buckets: dict[str, bytes]) -> None:
        key = next(k for k, v in buckets.items() if k.startswith("orders|all|") and has_units(v))
        body = json.loads(buckets[key])
        start = body["start"].replace("T", "X").split("X")[0]
        body["start"] = f"2031{start[4:]}T00:00:00Z"
        buckets["orders|all|2031"] = json.dumps(body).encode()

    assert "cells: number" in case.judged(lose)
    assert case.judged(invent) == {"cells that nobody sent", "buckets as in a replay"}


def letters_of(made: World) -> dict[str, list[Any]]:
    return {
        f"{partition}|{offset}": [
            Letter(
                json.dumps(
                    {"reason": reason, "payload": payload.decode(errors="backslashreplace")}
                ).encode()
            )
        ]
        for (partition, offset), (reason, payload) in made.truth.letters.items()
    }


def test_each_dead_letter_must_be_there_once_and_whole(case: Case) -> None:
    def judged(change: Callable[[dict[str, list[Any]]], None]) -> set[str]:
        found, verdict = deepcopy(letters_of(case.world)), Verdict()
        change(found)
        truth.check_letters(verdict, case.world.truth, Journal(letters=found))
        return set(verdict.faults)

    first = next(iter(letters_of(case.world)))
    assert judged(lambda found: None) == set()
    assert judged(lambda found: found.update({first: []})) == {"dead letters"}
    assert judged(lambda found: found[first].append(found[first][0])) == {"dead letters"}
    assert judged(lambda found: found.update({first: [Letter(b"{}")]})) == {"dead letters"}
    assert judged(lambda found: found.update({"0|-1": []})) == {"dead letters that are none"}


def test_each_incident_must_be_there_and_like_the_other() -> None:
    def incident(**changes: Any) -> bytes:
        return json.dumps({"metric": "orders", "state": "firing", "value": 1, **changes}).encode()

    def judged(found: dict[str, bytes]) -> set[str]:
        verdict = Verdict()
        truth.check_alerts(verdict, found, {"a": incident(), "b": incident(state="pending")})
        return set(verdict.faults)

    assert judged({"a": incident(), "c": incident(state="pending")}) == set()
    assert judged({}) == {"incidents"}
    assert judged({"a": incident(), "d": incident()}) == {"incidents"}
    assert judged({"a": incident(value=2)}) == {"incidents"}
    verdict = Verdict()
    truth.check_once(verdict, "ids", ["a", "a"], ["a"])
    assert "WRONG: ids" in str(verdict)
