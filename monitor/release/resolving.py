"""Which release is meant by what is told.

Pipelines tell a start and an end in any order, twice, or one of them only; so a body does not name a
release by its id but by service, environment and version, and by its start where that is told.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from monitor.model.release import Release, Scope, Status, release_id
from monitor.model.time import DAY, HOUR, to_rfc3339
from monitor.release.posting import Posted

REPEAT_US = HOUR
"""The same end of the same version, told again so soon without a time, is the same end."""
OPEN_US = DAY
"""How long a release that was started is waited for."""


class Told(StrEnum):
    """What a posting is to what is known."""

    NEW = "new"
    UPDATE = "update"
    REPLAY = "replay"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Which release a posting is about.

    Attributes:
        told: what it is; only what is new or an update is news.
        release: as it is known now; of a conflict as it was.
        detail: of a conflict, what differs.
    """

    told: Told
    release: Release
    detail: str = ""


def resolve(posted: Posted, known: Iterable[Release], now_us: int, *, by: str = "") -> Resolved:
    """Which release a posting is about, and what it makes of it.

    Args:
        posted: what was told.
        known: the releases that are known.
        now_us: when it was told: a time that was not.
        by: who told it.
    """
    own = [release for release in known if _is_own(posted, release)]
    own.sort(key=lambda release: (release.started_us, release.id), reverse=True)
    match = _match(posted, own, now_us)
    if match is None:
        return Resolved(told=Told.NEW, release=_new(posted, now_us, by))
    differs = _differs(posted, match)
    if differs:
        told = f"release {match.id} of {to_rfc3339(match.started_us)} has other {differs}"
        return Resolved(told=Told.CONFLICT, release=match, detail=told)
    merged = _merged(posted, match, now_us)
    told_as = Told.REPLAY if merged == match else Told.UPDATE
    return Resolved(told=told_as, release=merged)


def _is_own(posted: Posted, release: Release) -> bool:
    return (release.service, release.environment, release.version) == (
        posted.service,
        posted.environment,
        posted.version,
    )


def _match(posted: Posted, own: list[Release], now_us: int) -> Release | None:
    """The known release that is meant, of those of the same name, newest first."""
    if posted.started_us is not None:
        return next((r for r in own if _starts_then(r, posted.started_us)), None)
    newest = next(iter(own), None)
    if newest is None:
        return None
    when_us = now_us if posted.finished_us is None else posted.finished_us
    if newest.status is Status.STARTED:  # its end, or its start again
        return newest if when_us - newest.started_us <= OPEN_US else None
    if posted.status is Status.STARTED:  # its start, which was told after its end
        return None if newest.start_known else newest
    if posted.status.rank > newest.status.rank:  # it was taken back
        return newest
    known_us = newest.finished_us if newest.finished_us is not None else newest.started_us
    same = (
        known_us == when_us if posted.finished_us is not None else when_us - known_us <= REPEAT_US
    )
    return newest if same else None


def _starts_then(release: Release, started_us: int) -> bool:
    if release.start_known:
        return release.started_us == started_us
    finished_us = release.finished_us if release.finished_us is not None else release.started_us
    return finished_us - OPEN_US <= started_us <= finished_us


def _differs(posted: Posted, known: Release) -> str:
    """What the posting says otherwise than was told before."""
    found = [
        name
        for name in ("url", "commit", "arms")
        if None is not getattr(posted, name) != getattr(known, name) is not None
    ]
    if posted.scope is not None and known.scope != Scope() and posted.scope != known.scope:
        found.append("scope")
    ended = known.finished_us if posted.status is not Status.ROLLED_BACK else known.rolled_back_us
    if None is not posted.finished_us != ended is not None or _ends_before(posted, known):
        found.append("finished_at")
    both_end = Status.STARTED not in (posted.status, known.status)
    if both_end and posted.status.rank == known.status.rank and posted.status != known.status:
        found.append("status")
    return ", ".join(found)


def _ends_before(posted: Posted, known: Release) -> bool:
    """Whether the end that is told now lies before the start that was told."""
    ended_us = posted.finished_us
    return known.start_known and ended_us is not None and ended_us < known.started_us


def _new(posted: Posted, now_us: int, by: str) -> Release:
    told = [time for time in (posted.started_us, posted.finished_us) if time is not None]
    first_us = told[0] if told else now_us
    blank = Release(
        id=release_id(posted.service, posted.environment, posted.version, first_us),
        service=posted.service,
        environment=posted.environment,
        version=posted.version,
        status=Status.STARTED,
        started_us=first_us,
        by=by,
        start_known=posted.started_us is not None or posted.status is Status.STARTED,
    )
    return _merged(posted, blank, now_us)


def _merged(posted: Posted, known: Release, now_us: int) -> Release:
    """The release with what was told now; what was told before stays."""
    changes: dict[str, Any] = {
        name: getattr(posted, name)
        for name in ("url", "commit", "scope", "arms")
        if getattr(posted, name) is not None
    }
    if posted.started_us is not None and not known.start_known:
        changes |= {"started_us": posted.started_us, "start_known": True}
    if posted.status.rank > known.status.rank:
        changes["status"] = posted.status
    ended_us = posted.finished_us if posted.finished_us is not None else now_us
    if posted.status is Status.ROLLED_BACK:
        if known.rolled_back_us is None:
            changes["rolled_back_us"] = ended_us
    elif posted.status is not Status.STARTED and known.finished_us is None:
        changes["finished_us"] = ended_us
    return msgspec.structs.replace(known, **changes)
