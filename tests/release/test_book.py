"""When the effect of a release is measured, and what goes on beside it."""

from monitor.model.release import Arms, Status
from monitor.model.time import DAY, FOREVER, HOUR, MINUTE
from monitor.release.book import KEPT, Book, overlapping
from tests.release.told import T0, release, started

ARMS = Arms(dimension="v", control="a", treatment="b")


def book_of(*releases: object) -> Book:
    book = Book()
    book.take(releases)  # type: ignore[arg-type]
    return book


def spans(book: Book) -> list[tuple[int, int]]:
    return [(w.begin_us - T0, w.end_us - T0) for w in book.windows()]


def test_it_is_measured_from_the_end_of_a_canary_from_the_start() -> None:
    assert spans(book_of(release(finished_us=T0 + HOUR))) == [(HOUR, HOUR + DAY)]
    assert spans(book_of(release(finished_us=T0 + HOUR, arms=ARMS))) == [(0, DAY)]
    assert spans(book_of(started())) == [(0, DAY)], "one that never ends, from its start"


def test_the_next_release_of_the_place_or_a_roll_back_ends_it() -> None:
    after = release("2", T0 + 5 * HOUR)
    elsewhere = release("2", T0 + HOUR, environment="test")
    assert spans(book_of(after, release(), elsewhere))[0] == (0, 5 * HOUR)
    assert spans(book_of(release(rolled_back_us=T0 + MINUTE))) == [(0, MINUTE)]


def test_what_is_told_again_is_no_news_and_a_late_start_undoes_nothing() -> None:
    book = Book()
    assert book.take([release()])
    assert not book.take([release()])
    assert not book.take([started()])
    assert book.releases == (release(),)
    assert book.take([release(status=Status.ROLLED_BACK, rolled_back_us=T0 + 1)])


def test_the_oldest_are_forgotten() -> None:
    book = book_of(*(release(str(i), T0 + i) for i in range(KEPT + 3)))
    assert [r.version for r in book.releases[:1]] == ["3"]
    assert len(book.releases) == KEPT


def test_a_book_is_the_same_after_a_restart() -> None:
    book, other = book_of(release(), started("2", T0 + 1, arms=ARMS)), Book()
    other.load(book.dump())
    assert other.windows() == book.windows()


def test_others_are_those_that_went_on_in_the_time_of_one() -> None:
    inside = release("2", T0 + HOUR, service="search")
    before = release("3", T0 - HOUR, service="ads", finished_us=T0 - MINUTE)
    reaching = release("4", T0 - HOUR, service="cart", finished_us=T0 + MINUTE)
    windows = book_of(release(), inside, before, reaching).windows()
    mine = next(w for w in windows if w.release.version == "1")
    assert {r.version for r in overlapping(windows, mine, FOREVER)} == {"2", "4"}
    assert {r.version for r in overlapping(windows, mine, T0 + MINUTE)} == {"4"}
