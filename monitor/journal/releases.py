"""Releases and what is known of them, as the journal keeps them."""

from collections.abc import Iterable, Sequence

import msgspec

from monitor.definitions.plan import MetricPlan
from monitor.journal.store import Store
from monitor.model.record import Record, Stream
from monitor.model.release import Release, from_body, to_body
from monitor.model.time import FOREVER
from monitor.release.book import Book, overlapping
from monitor.release.evidence import MetricEvidence
from monitor.release.verdict import Verdict, judge

PREFIX = "release|"
"""What the keys of releases begin with: they share a stream with the annotations."""

_evidence = msgspec.json.Decoder(MetricEvidence)


def release_record(release: Release) -> Record:
    """The release as the journal keeps it; a newer form replaces the older one."""
    value = msgspec.json.encode(to_body(release))
    return Record(stream=Stream.RELEASES, key=PREFIX + release.id, value=value)


def kept_releases(store: Store) -> list[Release]:
    """Every release that is kept, in the order of their starts."""
    held = store.documents_from(Stream.RELEASES, PREFIX)
    found = [from_body(msgspec.json.decode(body)) for body in held.values()]
    return sorted(found, key=lambda release: (release.started_us, release.id))


def kept_release(store: Store, release_id: str) -> Release | None:
    """One release, if it is kept."""
    body = store.document(Stream.RELEASES, PREFIX + release_id)
    return None if body is None else from_body(msgspec.json.decode(body))


def kept_verdict(
    store: Store,
    release: Release,
    metrics: Sequence[MetricPlan],
    *,
    known: Iterable[Release],
    gate: bool = False,
) -> Verdict:
    """The verdict by what the shards have emitted.

    Args:
        store: the view.
        release: which.
        metrics: of the definitions.
        known: all releases, of which some went on at the same time.
        gate: without late evidence.
    """
    held = store.documents_from(Stream.VERDICTS, f"{release.id}|")
    emitted = {one.metric: one for one in map(_evidence.decode, held.values())}
    book = Book()
    book.take([*known, release])
    windows = book.windows()
    mine = next(window for window in windows if window.release.id == release.id)
    others = overlapping(windows, mine, FOREVER)
    return judge(release, emitted, metrics, others=others, gate=gate)
