"""Annotations and releases, kept in Grafana as they stand in the journal.

Nothing hangs on one request: a look compares what should be there with what Grafana was given, and
puts right what differs; a failure is tried again for ever, with pauses. Every annotation carries a tag that is its
alone, so that one whose id was lost (the process died between Grafana's answer and the journal) is found again
and not added twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
import msgspec
import structlog
import xxhash

from monitor.model import annotation
from monitor.model.record import Record, Stream
from monitor.model.release import from_body
from monitor.model.time import SECOND
from monitor.settings import Grafana

LOOK_SECONDS = 5.0
"""How often the journal is looked at without a call."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 300.0
RELEASE = "release|"
"""What the keys of releases begin with, in the stream that they share with annotations."""
GIVEN = "grafana|"
"""What the keys of ids that Grafana gave begin with; the rest is the key of what it was given."""
_MILLISECOND = SECOND // 1000
_TIMEOUT = aiohttp.ClientTimeout(total=20.0)
_GONE = 404
_FAULT = 300
_OF_THE_BODY = (400, 409, 412, 413, 422)
"""Answers that will be the same however often this body is sent; others are of address, token or server."""
_log = structlog.get_logger()

Append = Callable[[Sequence[Record]], Awaitable[None]]


class Documents(Protocol):
    """What the loop reads: the store is one."""

    def documents(self, stream: Stream) -> dict[str, bytes]:
        """The JSON of every key of a stream."""
        ...


class Given(msgspec.Struct, frozen=True):
    """What Grafana was given under a key: its id there, and a digest of what it was given."""

    id: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An annotation as it should stand in Grafana.

    Attributes:
        key: its own, in the journal.
        body: of the POST.
    """

    key: str
    body: dict[str, Any]

    @property
    def digest(self) -> str:
        """Changes where the body does."""
        return xxhash.xxh3_64_hexdigest(msgspec.json.encode(self.body))


class GrafanaError(Exception):
    """Grafana did not do what it was asked to.

    Args:
        final: whether it will not, however often it is asked.
    """

    def __init__(self, message: str, *, final: bool) -> None:
        super().__init__(message)
        self.final = final


def tag_of(key: str) -> str:
    """The tag that an annotation carries alone."""
    return f"monitor:{key.replace('|', ':')}"


def wanted(documents: Mapping[str, bytes]) -> Iterator[Wanted]:
    """What Grafana should hold, of the stream of releases and annotations."""
    for key, value in documents.items():
        if key.startswith(annotation.PREFIX):
            yield Wanted(key=key, body=_of_annotation(key, value))
        elif key.startswith(RELEASE):
            yield Wanted(key=key, body=_of_release(key, value))


def _of_annotation(key: str, value: bytes) -> dict[str, Any]:
    one = annotation.decode(value)
    body: dict[str, Any] = {
        "time": one.time_us // _MILLISECOND,
        "timeEnd": one.time_end_us // _MILLISECOND,
        "text": one.text,
        "tags": [*one.tags, tag_of(key)],
    }
    if one.dashboard_uid:
        body["dashboardUID"] = one.dashboard_uid
        if one.panel_id:
            body["panelId"] = one.panel_id
    return body


def _of_release(key: str, value: bytes) -> dict[str, Any]:
    release = from_body(msgspec.json.decode(value))
    end_us = release.rolled_back_us or release.finished_us or release.started_us
    status = release.status.value.replace("_", " ")
    text = f"{release.service} {release.version}: {status} ({release.environment})"
    return {
        "time": release.started_us // _MILLISECOND,
        "timeEnd": max(end_us, release.started_us) // _MILLISECOND,
        "text": f"{text}\n{release.url}" if release.url else text,
        "tags": ["release", release.service, release.environment, release.version, tag_of(key)],
    }


def grafana_keeper(
    settings: Grafana | None, variables: Mapping[str, str], view: Documents, append: Append
) -> "GrafanaKeeper | None":
    """The keeper of a configuration; None where no Grafana is configured."""
    if settings is None:
        return None
    token = variables.get(settings.token_env, "").strip()
    if not token:
        _log.warning("grafana.no_token", remedy=f"set {settings.token_env}, if it needs one")
    return GrafanaKeeper(settings.url, token, view, append)


class GrafanaKeeper:
    """Keeps Grafana's annotations until it is cancelled.

    Args:
        url: address of Grafana.
        token: sent as a bearer token; none where empty.
        view: what is read.
        append: keeps the ids that Grafana gives, in the journal.
    """

    def __init__(self, url: str, token: str, view: Documents, append: Append) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._view = view
        self._append = append
        self._session: aiohttp.ClientSession | None = None
        self._refused: dict[str, str] = {}
        self._known: dict[str, Given] = {}
        self._pause_seconds = 0.0
        self._news = asyncio.Event()

    def notify(self) -> None:
        """Something changed: look now. To be called in the event loop's own thread."""
        self._news.set()

    async def run(self) -> None:
        """Look and put right until cancelled. No failure of Grafana ends it."""
        _log.info("grafana.started", address=self._url)
        try:
            while True:
                await self._guarded_step()
                try:
                    await asyncio.wait_for(self._news.wait(), self._pause_seconds or LOOK_SECONDS)
                except TimeoutError:
                    continue
                finally:
                    self._news.clear()
        finally:
            await self.close()

    async def close(self) -> None:
        """Close the connections; `run` does so itself."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _guarded_step(self) -> None:
        try:
            await self.step()
        except GrafanaError as error:
            self._pause_seconds = min(
                2 * self._pause_seconds or FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS
            )
            _log.warning(
                "grafana.unreachable",
                reason=str(error),
                again_in_seconds=self._pause_seconds,
                remedy="start Grafana, or correct grafana.url",
            )
            # News must not shorten the pause: whoever is away is not helped by more requests.
            await asyncio.sleep(self._pause_seconds)
        except Exception:  # noqa: BLE001 - the next look may succeed
            _log.exception("grafana.step_failed")
        else:
            self._pause_seconds = 0.0

    async def step(self) -> int:
        """Look once, and put right what differs; returns how much that was.

        Raises:
            GrafanaError: Grafana is away; what was put right before is remembered.
        """
        documents = await asyncio.to_thread(self._view.documents, Stream.RELEASES)
        given = self._given(documents)
        changed = 0
        standing = set()
        for one in wanted(documents):
            standing.add(one.key)
            known = given.get(one.key)
            if (known is None or known.digest != one.digest) and self._refused.get(one.key) != (
                one.digest
            ):
                changed += await self._guarded_put(one, known)
        for key in given.keys() - standing:
            await self._delete(given[key].id)
            await self._append([Record(stream=Stream.RELEASES, key=f"{GIVEN}{key}", value=None)])
            self._known.pop(key, None)
            changed += 1
        return changed

    def _given(self, documents: Mapping[str, bytes]) -> dict[str, Given]:
        """What Grafana has; what was appended a moment ago may not be in the view yet."""
        seen = {
            key.removeprefix(GIVEN): msgspec.json.decode(value, type=Given)
            for key, value in documents.items()
            if key.startswith(GIVEN)
        }
        return {**seen, **self._known}

    async def _guarded_put(self, one: Wanted, known: Given | None) -> int:
        try:
            number = await self._put(one, known)
        except GrafanaError as error:
            if not error.final:
                raise
            self._refused[one.key] = one.digest
            _log.error("grafana.refused", key=one.key, reason=str(error))
            return 0
        made = Given(number, one.digest)
        self._known[one.key] = made
        key = f"{GIVEN}{one.key}"
        await self._append(
            [Record(stream=Stream.RELEASES, key=key, value=msgspec.json.encode(made))]
        )
        return 1

    async def _put(self, one: Wanted, known: Given | None) -> int:
        """PATCH what Grafana has, POST what it has not; the id."""
        number = known.id if known else await self._find(one.key)
        if number is not None:
            status, _ = await self._call("PATCH", f"/api/annotations/{number}", one.body)
            if status != _GONE:
                return number
        _, answer = await self._call("POST", "/api/annotations", one.body)
        try:
            return int(answer["id"])
        except (KeyError, TypeError, ValueError) as error:
            message = f"{self._url}: its answer has no id: {answer!r}"
            raise GrafanaError(message, final=True) from error

    async def _find(self, key: str) -> int | None:
        _, found = await self._call("GET", "/api/annotations", None, {"tags": tag_of(key)})
        return int(found[0]["id"]) if isinstance(found, list) and found else None

    async def _delete(self, number: int) -> None:
        await self._call("DELETE", f"/api/annotations/{number}", None)

    async def _call(
        self, method: str, path: str, body: Any, query: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT, headers=self._headers)
        try:
            async with self._session.request(
                method, self._url + path, json=body, params=query
            ) as answer:
                text = await answer.text(errors="replace")
                if answer.status < _FAULT:
                    return answer.status, msgspec.json.decode(text)
                if answer.status == _GONE and method != "POST":
                    return answer.status, None
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError) as error:
            message = f"{self._url}: {str(error) or type(error).__name__}"
            raise GrafanaError(message, final=False) from error
        final = answer.status in _OF_THE_BODY
        message = f"{self._url}: {answer.status} {answer.reason}: {text[:200].strip()}"
        raise GrafanaError(message, final=final)
