"""The short form of `make chaos`: ten faults of ten kinds on real servers, then every figure is compared."""

from pathlib import Path

import pytest

from tests.system.chaos.run import Chaos
from tests.system.chaos.schedule import LONG, SESSION_SECONDS, Kind, schedule


@pytest.mark.parametrize("seed", range(5))
def test_a_schedule_follows_from_its_seed_and_leaves_no_kind_out(seed: int) -> None:
    short, long = schedule(seed, 10), schedule(seed, LONG)
    assert short == schedule(seed, 10) != schedule(seed + 1, 10)
    assert {fault.kind for fault in short} == set(Kind) - {Kind.BROKER_AWAY}
    assert {fault.kind for fault in long} == set(Kind)
    assert [fault.at for fault in long] == sorted(fault.at for fault in long)
    frozen = [fault for fault in long if fault.kind is Kind.FREEZE_ROLE]
    assert all(fault.seconds > SESSION_SECONDS for fault in frozen)
    assert {fault.target.split("-")[0] for fault in frozen} == {"ingest", "core"}


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.usefixtures("kafka_and_alertmanager_can_be_had")
def test_after_ten_faults_every_sum_alert_and_dead_letter_is_as_it_must_be(tmp_path: Path) -> None:
    """Takes two minutes: longer than a session must be waited for, and so must a killed broker."""
    chaos = Chaos(tmp_path, seed=6, events=60_000, faults=10, pace=1_000, shards=2, patient=False)
    assert chaos.run(), chaos.report()
    assert chaos.verdict.counts["dead letters"] > 20
    assert chaos.verdict.counts["incidents"] > 2
    assert chaos.log["partition.dropped"] > 0
