"""Dead letters read back and marked, from a folder and from a state file."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import InputError, StateError
from monitor.journal.letters import MARK, Choice, Tally, decode_letter, marked
from monitor.journal.letters_folder import FolderLetters
from monitor.journal.letters_state import StateLetters
from monitor.journal.records import dead_letter_line, dead_letter_record
from monitor.journal.store import Store
from monitor.model.event import DeadLetter, Reject
from monitor.model.record import Record, Stream
from monitor.model.time import HOUR
from tests.journal.examples import T0


def dead(
    position: int,
    payload: bytes = b"{",
    *,
    source: str = "events.ndjson",
    reason: Reject = Reject.NOT_JSON,
    read_us: int | None = T0,
) -> DeadLetter:
    return DeadLetter(
        source=source,
        position=position,
        reason=reason,
        detail="why",
        payload=payload,
        read_us=read_us,
    )


def folder_of(path: Path, *letters: DeadLetter) -> FolderLetters:
    lines = [msgspec.json.encode(dead_letter_line(one)) + b"\n" for one in letters]
    (path / "dead_letters.ndjson").write_bytes(b"".join(lines))
    return FolderLetters(path)


def state_of(path: Path, *letters: DeadLetter) -> StateLetters:
    with Store(path / "monitor.db") as store:
        store.commit(dead_letter_record(one) for one in letters)
    return StateLetters(path / "monitor.db")


@given(payload=st.binary(max_size=50), detail=st.text(max_size=20))
def test_a_letter_comes_back_as_it_was_kept(payload: bytes, detail: str) -> None:
    letter = msgspec.structs.replace(dead(7, payload), detail=detail)
    read = decode_letter(dead_letter_record(letter).value or b"")
    assert (read.key, read.reason, read.detail) == ("events.ndjson|7", "not_json", detail)
    assert (read.payload, read.read_us, read.is_new) == (payload, T0, True)
    sent = decode_letter(marked(read, T0 + 1, "0|9"))
    assert sent.body.startswith(MARK)
    assert (sent.payload, sent.read_us, sent.detail) == (payload, T0, detail)
    assert (sent.replayed_us, sent.replayed_as, sent.is_new) == (T0 + 1, "0|9", False)
    twice = marked(sent, T0 + 2, "0|10")
    assert twice.count(b'"replayed_at"') == marked(read, T0, "").count(b'"replayed_at"')


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"source":"0","position":1,"reason":"x","detail":"","payload_base64":"*"}',
        b'{"source":"0","position":1,"reason":"x","detail":"","read_at":"noon"}',
    ],
)
def test_what_is_no_letter_is_told(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"is no dead letter|Invalid isoformat"):
        decode_letter(body)


def test_a_folder_keeps_what_was_sent_and_the_rest_as_it_was(tmp_path: Path) -> None:
    kept = folder_of(tmp_path, dead(1), dead(2, b"\xff"), dead(3))
    assert [(one.position, one.payload) for one in kept] == [(1, b"{"), (2, b"\xff"), (3, b"{")]
    kept.mark({"events.ndjson|2": "again|1"}, T0)
    assert [one.replayed_as for one in kept] == [None, "again|1", None]
    assert [one.payload for one in kept] == [b"{", b"\xff", b"{"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dead_letters.ndjson"]


def test_a_folder_without_letters_or_with_others_names_the_place(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"dead_letters\.ndjson: No such file"):
        FolderLetters(tmp_path)
    (tmp_path / "dead_letters.ndjson").write_text("\n{}\n")
    with pytest.raises(InputError, match=r"dead_letters\.ndjson:2: is no dead letter"):
        list(FolderLetters(tmp_path))


def test_a_state_file_keeps_what_was_sent(tmp_path: Path) -> None:
    kept = state_of(tmp_path, *(dead(n) for n in range(450)))
    kept.mark({f"events.ndjson|{n}": f"again|{n}" for n in range(300)}, T0 + HOUR)
    sent = [one.position for one in kept if not one.is_new]
    assert sent == list(range(300))
    assert [one.position for one in kept] == list(range(450))
    assert not kept.is_view
    kept.close()


def test_a_source_that_goes_on_from_its_last_save_takes_no_mark_away(tmp_path: Path) -> None:
    kept = state_of(tmp_path, dead(1), dead(2))
    kept.mark({"events.ndjson|1": "again|1"}, T0)
    with Store(tmp_path / "monitor.db") as store:
        store.commit(dead_letter_record(dead(n, read_us=T0 + HOUR)) for n in (1, 2))
    assert [(one.is_new, one.read_us) for one in kept] == [(False, T0), (True, T0 + HOUR)]
    kept.mark({"events.ndjson|1": "again|5"}, T0 + HOUR)
    assert next(iter(kept)).replayed_as == "again|5"
    kept.close()


def test_a_letter_that_was_sent_and_came_back_is_known(tmp_path: Path) -> None:
    kept = state_of(tmp_path, dead(1), dead(1, source="again"))
    assert [one.is_new for one in kept] == [True, True]
    kept.mark({"events.ndjson|1": "again|1"}, T0)
    assert [(one.is_new, one.returned) for one in kept] == [(False, False), (False, True)]
    kept.close()


def test_a_state_file_with_something_else_in_it_names_the_place(tmp_path: Path) -> None:
    kept = state_of(tmp_path)
    with Store(tmp_path / "monitor.db") as store:
        store.commit([Record(stream=Stream.DEAD_LETTERS, key="0|1", value=b"{}")])
    with pytest.raises(StateError, match=r"monitor\.db: what it keeps is no dead letter"):
        list(kept)
    kept.close()


def test_letters_are_chosen_by_reason_and_time(tmp_path: Path) -> None:
    kept = state_of(
        tmp_path,
        dead(1),
        dead(2, reason=Reject.BAD_TIME),
        dead(3, read_us=T0 + HOUR),
        dead(4, read_us=None),
    )
    kept.mark({"events.ndjson|3": "again|1"}, T0)

    def chosen(**choice: object) -> tuple[list[int], Tally]:
        tally = Tally()
        found = tally.chosen(kept, Choice(**choice))  # type: ignore[arg-type]
        return [one.position for one in found], tally

    assert chosen()[0] == [1, 2, 3, 4]
    assert chosen(reasons=frozenset({"bad_time"}))[0] == [2]
    since, tally = chosen(since_us=T0 + 1)
    assert since == [3]
    assert (tally.kept, tally.reasons, tally.replayed) == (4, {"not_json": 1}, 1)
    kept.close()
