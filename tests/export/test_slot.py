"""What a set of labels is to be told, at times in seconds for short."""

from monitor.export.slot import Pace, Slot
from tests.journal.examples import incident, resolved

PACE = Pace(interval_us=30, hold_us=45)


def test_a_firing_incident_is_due_at_once_and_then_on_the_timer() -> None:
    slot = Slot(incident(), 0)
    assert slot.due_us == 0
    slot.told(1, PACE)
    assert (slot.shown_us, slot.due_us) == (1, 31)
    slot.told(31, PACE)
    assert (slot.shown_us, slot.due_us) == (1, 61)


def test_new_figures_wait_for_the_timer() -> None:
    slot = Slot(incident(), 0)
    slot.told(1, PACE)
    slot.update(incident(n=900), 10, PACE)
    assert (slot.due_us, slot.incident.n) == (31, 900)


def test_the_end_of_an_incident_shown_for_long_is_due_at_once_and_told_three_times() -> None:
    slot = Slot(incident(), 0)
    slot.told(0, PACE)
    slot.update(resolved(), 100, PACE)
    assert slot.due_us == 100
    for now, done in ((100, False), (130, False), (160, True)):
        assert slot.ends(now, PACE)
        slot.told(now, PACE)
        assert slot.is_done is done


def test_an_incident_that_ends_soon_is_shown_for_a_while() -> None:
    slot = Slot(incident(), 0)
    slot.told(0, PACE)
    slot.update(resolved(), 10, PACE)
    assert slot.due_us == 45
    assert not slot.ends(44, PACE)
    assert slot.ends(45, PACE)


def test_an_incident_first_met_at_its_end_is_shown_as_firing_first() -> None:
    slot = Slot(resolved(), 0)
    assert not slot.ends(1000, PACE)
    slot.told(5, PACE)
    assert (slot.shown_us, slot.due_us, slot.ends_told) == (5, 35, 0)
    slot.told(35, PACE)
    assert slot.due_us == 50
    assert slot.ends(50, PACE)


def test_an_end_before_the_first_post_came_through_is_shown_first_too() -> None:
    slot = Slot(incident(), 0)
    slot.update(resolved(), 100, PACE)
    assert slot.due_us == 100
    assert not slot.ends(100, PACE)


def test_an_incident_that_goes_on_after_all_is_told_its_end_anew() -> None:
    slot = Slot(incident(), 0)
    slot.told(0, PACE)
    slot.update(resolved(), 100, PACE)
    slot.ended_us = 100
    slot.told(100, PACE)
    slot.update(incident(n=900), 110, PACE)
    assert slot == Slot(incident(n=900), 110, shown_us=0, ended_us=None, ends_told=0)


def test_the_end_of_an_earlier_incident_does_not_hide_a_later_one() -> None:
    slot = Slot(incident("a2"), 0)
    earlier = "2026-11-21T09:00:00Z"
    assert not slot.yields_to(resolved("a1", detected_at=earlier))
    assert slot.yields_to(resolved("a3", detected_at="2026-11-21T11:00:00Z"))
    assert slot.yields_to(incident("a1", detected_at=earlier))
