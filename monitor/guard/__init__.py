"""Is it a real shift? Evidence against the baseline, and decisions with their reasons."""

from monitor.guard.guard import Guard

__all__ = ["Guard"]
