"""What must hold of loading, whatever stands in the files; and of what can be loaded."""

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from monitor.core.machine import Machine
from monitor.definitions import compile_plan, load
from monitor.definitions.mistake import MistakesError
from monitor.definitions.plan import Plan
from monitor.ingest.source import Ingest
from monitor.journal.records import records
from monitor.model.frame import decode_frame, encode_frame
from monitor.model.time import DAY, SECOND

PLACED = re.compile(r"(\S+\.yaml(:\d+)?|\S+/metrics|\$\w+(:\d+)?): .+")
START = 19_675 * DAY
_VALUES = (0.0, 1.5, -1.5, 1e-300, 1e290, -1e290, 3.0, 12.5, 1e9)
_BUCKETS = 40
"""Buckets of the shortest metric that a machine is led through."""


def check_configuration(
    monitor: bytes, metrics: bytes, environment: Mapping[str, str]
) -> Counter[str]:
    """Load it; what loads is compiled, and a machine runs some frames of it.

    Raises:
        AssertionError: something does not hold.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "metrics").mkdir()
        (folder / "monitor.yaml").write_bytes(monitor)
        (folder / "metrics" / "all.yaml").write_bytes(metrics)
        try:
            configuration = load(folder, environment=environment)
        except MistakesError as error:
            return _check_mistakes(error)
    for warning in configuration.warnings:
        assert PLACED.fullmatch(str(warning)), str(warning)
    plan = compile_plan(configuration, shards=1)
    assert len(plan.metrics) == len(configuration.metrics)
    assert all(log > 0 for metric in plan.metrics for log in metric.log_threshold)
    fields = configuration.fields or None
    return Counter(loaded=1, served=len(plan.metrics)) + _run(plan, fields)


def _check_mistakes(error: MistakesError) -> Counter[str]:
    lines = str(error).split("\n")
    assert len(lines) == len(error.mistakes) > 0, lines
    assert all(PLACED.fullmatch(line) for line in lines), lines
    return Counter(refused=1, mistakes=len(lines))


def _run(plan: Plan, fields: Mapping[str, str] | None) -> Counter[str]:
    told: Counter[str] = Counter()
    ingest = Ingest(plan, fields, source=0, sources=1, name="0", clock=lambda: START + 10_000 * DAY)
    machine = Machine(plan)
    lines = list(_lines(plan))
    half = len(lines) // 2
    for part, last in ((lines[:half], False), (lines[half:], True)):
        ingest.add_many(part)
        flush = ingest.finish() if last else ingest.flush()
        told["events"] += flush.counts["accepted"]
        effects = machine.apply(decode_frame(encode_frame(flush.frames[0])))
        machine, ended = Machine.restore(plan, 0, machine.snapshot())
        assert ended == []
        if last:
            effects = [*effects, *machine.finish()]
        told["frames"] += 1
        told["records"] += sum(len(records(effect)) for effect in effects)
    return told


def _lines(plan: Plan) -> Iterator[bytes]:
    """Events that the measures ask for, in the default envelope, over a number of buckets."""
    measures = [measure for metric in plan.metrics for measure in metric.measures]
    names = sorted({name for m in plan.metrics for grouping in m.groupings for name in grouping})
    widths = [metric.calendar.width_us for metric in plan.metrics]
    step_us = min(widths, default=SECOND) // 2 or 1
    for n in range(_BUCKETS):
        for measure in measures:
            dimensions: dict[str, object] = dict.fromkeys(names, f"v{n % 3}")
            values: dict[str, object] = {}
            if measure.value:
                values[measure.value] = _VALUES[n % len(_VALUES)]
            for field, test, value in measure.where or ():
                if test == "in":
                    dimensions[field] = value[0]
                elif isinstance(value[0], float):
                    values[field] = value[0]
            yield json.dumps(
                {
                    "name": measure.event,
                    "time": (START + n * step_us) / SECOND,
                    "count": 10**9 if n % 11 == 7 and not values else 1,
                    "actor": f"u{n % 7}",
                    "dimensions": dimensions,
                    "values": values,
                }
            ).encode()
