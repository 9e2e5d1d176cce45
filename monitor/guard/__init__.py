"""Is it a real shift? Evidence against the baseline, and decisions with their reasons."""

from monitor.guard.bets import band_edges
from monitor.guard.guard import Guard

__all__ = ["Guard", "band_edges"]
