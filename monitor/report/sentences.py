"""States and reasons in sentences: the one place that says what each means to a person."""

from monitor.model.tick import Reason, State

STATES = {
    State.LEARNING: "the series was still learning; nothing is judged before it knows its own week",
    State.OK: "the evidence was below half of the way to the threshold",
    State.SUSPECTED: "evidence was growing, past half of the way to the threshold, but short of it",
    State.ALERTING: "the evidence was past the threshold, or an incident was open",
    State.NO_DATA: "nothing arrived that could be measured",
    State.TOO_FEW_UNITS: "fewer units were expected than it takes to judge a bucket",
    State.IMMATURE: "its cohort had not had the time that the definition gives it",
    State.PARTIAL: "the bucket never ended in that input; nobody judged it",
    State.MEASUREMENT_MOVED: "the measurement itself moved: tracking, not necessarily the product",
}
"""What the state of a bucket means, as the end of a sentence."""

REASONS = {
    Reason.WITHIN_BAND: "the evidence was below half of the way to the threshold",
    Reason.LEARNING: "the series was still learning",
    Reason.TOO_FEW_UNITS: "fewer units were expected than it takes to judge a bucket",
    Reason.NO_DATA: "nothing arrived any more where units were expected",
    Reason.EVIDENCE_GROWING: "evidence of a shift was growing, short of the threshold",
    Reason.SHIFT: "the evidence of a shift reached the threshold",
    Reason.SILENT: "what it counts stopped while other events went on",
    Reason.PARENT_ALERTING: "its whole was paged, and lists it; a segment does not page beside it",
    Reason.RECOVERED: "there was evidence of a thousand to one that it is back at what is expected",
    Reason.NEW_NORMAL: "the shift lasted so long that it was accepted as the new normal",
    Reason.DATA_RETURNED: "data came again, as much as is expected",
    Reason.DEFINITION_CHANGED: "the metric was redefined or removed: closed, not over",
    Reason.SERIES_RETIRED: "the series was not seen for a week and was retired",
    Reason.HOLIDAY: "the day is in the list of holidays, which are neither judged nor learnt",
    Reason.DRIFT: "its last seven days had moved further from the seven before than such a series wanders",
    Reason.DRIFT_ENDED: "its last seven days are close to the seven before again",
    Reason.HISTORY_ENDED: "the history that was read in ended there; what follows is judged anew",
    Reason.MEASUREMENT_RETURNED: (
        "the measurement no longer accounts for the shift; what is left of it is judged anew"
    ),
    Reason.MEASUREMENT_MOVED: (
        "the measurement itself moved and accounts for half of the shift or more, so that it is a ticket "
        "and no page"
    ),
}
"""Why an incident began or ended, as the end of a sentence."""

_STATES = {state.label: sentence for state, sentence in STATES.items()}
_REASONS = {reason.label: sentence for reason, sentence in REASONS.items()}


def state_sentence(label: str) -> str:
    """What a state means; a label of a later version is given as it is.

    >>> state_sentence("no_data")
    'nothing arrived that could be measured'
    """
    return _STATES.get(label, label)


def reason_sentence(label: str) -> str:
    """What a reason means; a label of a later version is given as it is."""
    return _REASONS.get(label, label)
