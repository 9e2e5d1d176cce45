"""The past out of a running service, by its HTTP routes."""

import json
from http.client import HTTPException
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import ProxyHandler, Request, build_opener

import msgspec

from monitor.errors import InputError, UnreachableError
from monitor.journal.search import first_after
from monitor.model.bucket import BucketLine
from monitor.model.past import Past
from monitor.model.time import SECOND, from_rfc3339, to_rfc3339

TIMEOUT_SECONDS = 20.0
"""How long a service may take for one answer."""

_REFUSED = (401, 403)
_NOT_FOUND = 404


class _Alerts(msgspec.Struct):
    alerts: list[dict[str, Any]]


class _Buckets(msgspec.Struct):
    buckets: list[BucketLine]


class _Metric(msgspec.Struct):
    name: str
    series: list[dict[str, Any]]


class _Metrics(msgspec.Struct):
    metrics: list[_Metric]


_T = TypeVar("_T")
_alerts = msgspec.json.Decoder(_Alerts)
_buckets = msgspec.json.Decoder(_Buckets)
_metrics = msgspec.json.Decoder(_Metrics)


class ServiceHistory:
    """A service.

    Args:
        url: its base address.
        token: sent as a bearer token where there is one.
    """

    def __init__(self, url: str, *, token: str | None) -> None:
        self._url = url
        self._headers = {"Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        # The address is that of this service: nobody's proxy stands between.
        self._opener = build_opener(ProxyHandler({}))

    def close(self) -> None:
        """Nothing is held."""

    def alerts(self) -> list[dict[str, Any]]:
        """The newest state of every incident, newest change first."""
        return self._get("/api/v1/alerts", _alerts).alerts

    def series(
        self, metric: str, dimension: str, segment: str, *, since_us: int, until_us: int | None
    ) -> Past:
        """The buckets of a series that start in [since, until)."""

        def read(since_us: int, until_us: int | None) -> list[BucketLine]:
            asked = {"dimension": dimension, "segment": segment, "since": to_rfc3339(since_us)}
            if until_us is not None:
                asked["until"] = to_rfc3339(until_us)
            path = f"/api/v1/metrics/{quote(metric, safe='')}/buckets?{urlencode(asked)}"
            return self._get(path, _buckets).buckets

        newest = self._newest(metric, dimension).get(segment)
        last_us = from_rfc3339(newest["end"]) if newest else None
        rows = tuple(read(since_us, until_us))
        if rows:
            first_us: int | None = from_rfc3339(rows[0].start)
            last_us = last_us or from_rfc3339(rows[-1].end)
        else:
            first_us = first_after(read, since_us, last_us)
        left = newest.get("learning_seconds") if newest else None
        learnt_us = None if left is None or last_us is None else last_us + round(left * SECOND)
        return Past(rows=rows, first_us=first_us, last_us=last_us, judged_from_us=learnt_us)

    def segments(self, metric: str, dimension: str) -> list[str]:
        """The segments that the newest bucket has."""
        return sorted(self._newest(metric, dimension))

    def _newest(self, metric: str, dimension: str) -> dict[str, dict[str, Any]]:
        """The newest bucket of each segment."""
        return {
            row["segment"]: row
            for listed in self._get("/api/v1/metrics", _metrics).metrics
            if listed.name == metric
            for row in listed.series
            if row["dimension"] == dimension
        }

    def _get(self, path: str, decoder: msgspec.json.Decoder[_T]) -> _T:
        try:
            request = Request(self._url + path, headers=self._headers)  # noqa: S310 - http(s) only
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return decoder.decode(answer.read())
        except HTTPError as error:
            with error:
                raise self._refusal(error) from error
        except (OSError, HTTPException) as error:
            why = getattr(error, "reason", None) or error
            message = (
                f"{self._url}: does not answer ({why}); start the service (`monitor run`), or name "
                "what it or a replay has written: --from FOLDER or --from STATE_FILE"
            )
            raise UnreachableError(message) from error
        except (msgspec.MsgspecError, ValueError) as error:
            message = f"{self._url}: is no service of the monitor ({error}); correct --from"
            raise InputError(message) from error

    def _refusal(self, error: HTTPError) -> Exception:
        told = _detail(error)
        if error.code in _REFUSED:
            remedy = "set the variable that api.token_env names (MONITOR_TOKEN) to its token"
            return InputError(f"{self._url}: refuses ({error.code} {told}); {remedy}")
        if error.code == _NOT_FOUND:
            remedy = "the service may have other definitions than --config"
            return InputError(f"{self._url}: {told}; {remedy}")
        return UnreachableError(f"{self._url}: cannot answer now ({error.code} {told})")


def _detail(error: HTTPError) -> str:
    """What the answer says itself, else the reason of its status."""
    try:
        return str(json.load(error)["detail"])
    except (OSError, ValueError, KeyError, TypeError):
        return str(error.reason)
