"""One series without configuration: every row is judged by those before it.

spacing, history -> forecasts -> signals -> tails -> alarm
"""

from monitor.score.scorer import Judgement, Reason, SeriesScorer, score_of

__all__ = ["Judgement", "Reason", "SeriesScorer", "score_of"]
