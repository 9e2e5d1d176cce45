"""The gate of a pipeline: may it go on, by the first hours of a release."""

from enum import StrEnum

import msgspec

from monitor.release.line import Outcome
from monitor.release.verdict import Verdict


class Gate(StrEnum):
    """The answer of a gate."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /api/v1/gates/evaluate`."""

    gate_status: Gate
    reason: str
    verdict: Verdict | None


_ANSWERS = {
    Outcome.REGRESSED: Gate.FAIL,
    Outcome.IMPROVED: Gate.PASS,
    Outcome.NO_EFFECT: Gate.PASS,
    Outcome.INCONCLUSIVE: Gate.INCONCLUSIVE,
}


def _unseen(verdict: Verdict) -> str:
    """What a release that improved something says nothing of: a pass must not hide it."""
    if verdict.verdict is not Outcome.IMPROVED:
        return ""
    unseen = sorted({one.metric for one in verdict.metrics if one.verdict is Outcome.INCONCLUSIVE})
    return f" Inconclusive so far: {', '.join(unseen)}." if unseen else ""


def gate(verdict: Verdict | None, asked: str, *, fail_open: bool = False) -> Answer:
    """The answer to a pipeline.

    Args:
        verdict: of the release; None where it is not known.
        asked: which release was asked for, in words.
        fail_open: whether what is inconclusive passes; only because the pipeline said so.
    """
    if verdict is None:
        status, reason = Gate.INCONCLUSIVE, f"no release of {asked} is known; tell it first"
    else:
        status, reason = _ANSWERS[verdict.verdict], verdict.summary + _unseen(verdict)
    if status is Gate.INCONCLUSIVE and fail_open:
        status, reason = Gate.PASS, f"passed because fail_open was asked for. {reason}"
    return Answer(gate_status=status, reason=reason, verdict=verdict)
