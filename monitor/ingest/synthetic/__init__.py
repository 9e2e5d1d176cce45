"""The synthetic shop: product events of a seeded world, with faults on request and the truth about them.

`market` says who lives where, `people` who comes back, `rates` and `block` how much is expected, `single` and
`summed` draw the events, `writing` their lines, `tracking` what of them arrives, `shop` puts it together.
"""

from monitor.ingest.synthetic.faults import (
    BadRelease,
    BrokenTracking,
    Fault,
    Incident,
    MixShift,
)
from monitor.ingest.synthetic.parsing import parse_fault
from monitor.ingest.synthetic.shop import Shop

__all__ = [
    "BadRelease",
    "BrokenTracking",
    "Fault",
    "Incident",
    "MixShift",
    "Shop",
    "parse_fault",
]
