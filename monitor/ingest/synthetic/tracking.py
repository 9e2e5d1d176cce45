"""Broken tracking: which lines of a batch arrive, and when."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from monitor.ingest.synthetic.block import MINUTES
from monitor.ingest.synthetic.faults import BrokenTracking, Fault
from monitor.ingest.synthetic.market import Flags, Ints
from monitor.ingest.synthetic.rates import within
from monitor.ingest.synthetic.writing import Batch
from monitor.model.time import MINUTE, SECOND

_AGAIN_US: Final = 2 * SECOND
"""The second of two equal lines comes so much later."""


class Tracking:
    """What the faults of tracking do to batches.

    Attributes:
        blocks_back: hours that an event may still be on its way.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._faults = [fault for fault in faults if isinstance(fault, BrokenTracking)]
        delays = [fault.delay_us for fault in self._faults if fault.mode == "late"]
        self.blocks_back = 1 + -(-max(delays, default=0) // (MINUTES * MINUTE))

    def received(self, batch: Batch) -> tuple[Ints, Ints]:
        """When lines of a batch arrive, and which: a line may be named twice, or not at all."""
        arrival_us, which = batch.arrival_us, np.arange(len(batch.lines))
        for fault in self._faults:
            if fault.event != batch.event:
                continue
            hit = self._hit(fault, batch)[which]
            if fault.mode == "stops":
                arrival_us, which = arrival_us[~hit], which[~hit]
            elif fault.mode == "late":
                arrival_us = arrival_us + hit * fault.delay_us
            else:
                arrival_us = np.append(arrival_us, arrival_us[hit] + _AGAIN_US)
                which = np.append(which, which[hit])
        return arrival_us, which

    def _hit(self, fault: BrokenTracking, batch: Batch) -> Flags:
        during = (fault.started_us <= batch.at.time_us) & (batch.at.time_us < fault.ended_us)
        found = during & within(fault.where, batch.at)
        for dimension, value in fault.where:
            if dimension == "app_version":
                found &= np.array(
                    [f'"app_version":"{value}"' in line for line in batch.lines], dtype=bool
                )
        return np.asarray(found)
