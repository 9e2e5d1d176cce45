import pytest

from monitor.release.gate import Gate, gate
from tests.release.test_verdict import ORDERS, said, series, verdict


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"down": 9.0}, Gate.FAIL),
        ({"up": 9.0}, Gate.PASS),
        ({}, Gate.PASS),
        ({"mde": 1.0}, Gate.INCONCLUSIVE),
    ],
)
def test_only_what_is_inconclusive_is_opened_by_request(
    changes: dict[str, float], status: Gate
) -> None:
    found = verdict(said(ORDERS, series(**changes)), metrics=[ORDERS])
    assert gate(found, "shop").gate_status is status
    opened = gate(found, "shop", fail_open=True).gate_status
    assert opened is (Gate.PASS if status is Gate.INCONCLUSIVE else status)


def test_what_is_not_known_is_inconclusive() -> None:
    found = gate(None, "shop 9 in prod")
    assert found.gate_status is Gate.INCONCLUSIVE
    assert "no release of shop 9 in prod is known" in found.reason
    assert gate(None, "shop", fail_open=True).gate_status is Gate.PASS


def test_a_pass_names_what_is_inconclusive_beside_what_improved() -> None:
    found = verdict(said(ORDERS, series(up=9.0)))
    answer = gate(found, "shop")
    assert answer.gate_status is Gate.PASS
    assert "Inconclusive so far: errors." in answer.reason
    assert "errors" not in gate(verdict(said(ORDERS, series()), metrics=[ORDERS]), "shop").reason
