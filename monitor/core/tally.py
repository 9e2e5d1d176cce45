"""What a machine did not keep apart, or did not apply: totals that the service's counters follow."""

from collections import Counter

from monitor.core.machine import Machine

FOLDED, SET_ASIDE, SKIPPED = "folded", "set_aside", "skipped"
"""Names of counters (`telemetry.Counters`)."""


def tally(machine: Machine) -> Counter[tuple[str, str]]:
    """Totals so far, by the name of the counter and its label."""
    found: Counter[tuple[str, str]] = Counter()
    for (_, dimension), events in machine.folded.items():
        found[FOLDED, dimension] += events
    for reason, events in machine.set_aside.items():
        found[SET_ASIDE, reason] += events
    for metric, deltas in machine.skipped.items():
        found[SKIPPED, metric] += deltas
    return found
