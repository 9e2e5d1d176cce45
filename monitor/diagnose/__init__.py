"""Where and why a metric moved, and whether it was its measurement."""

from monitor.diagnose.attribution import blamed_segments
from monitor.diagnose.measurement import account, is_moved

__all__ = ["account", "blamed_segments", "is_moved"]
