"""Where and why a metric moved."""

from monitor.diagnose.attribution import blamed_segments

__all__ = ["blamed_segments"]
