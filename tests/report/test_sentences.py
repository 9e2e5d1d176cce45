from monitor.model.tick import Reason, State
from monitor.report.sentences import REASONS, STATES, reason_sentence, state_sentence


def test_every_state_and_every_reason_has_a_sentence() -> None:
    assert set(STATES) == set(State)
    assert set(REASONS) == set(Reason)
    assert all(state_sentence(state.label) == STATES[state] for state in State)
    assert all(reason_sentence(reason.label) == REASONS[reason] for reason in Reason)


def test_no_sentence_claims_a_cause() -> None:
    told = " ".join([*STATES.values(), *REASONS.values()])
    assert "caus" not in told
    assert "because" not in told


def test_a_label_of_a_later_version_is_given_as_it_is() -> None:
    assert state_sentence("hibernating") == "hibernating"
    assert reason_sentence("tired") == "tired"
