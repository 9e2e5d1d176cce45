"""Is it a real shift? Evidence against the baseline, and decisions with their reasons."""

from monitor.guard.bets import band_edges
from monitor.guard.drift import Drift
from monitor.guard.guard import Guard

__all__ = ["Drift", "Guard", "band_edges"]
