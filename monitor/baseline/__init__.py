"""What should be: the expected value of every series' next bucket, with how sure that is."""

from monitor.baseline.baseline import Baseline

__all__ = ["Baseline"]
