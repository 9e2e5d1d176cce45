"""The HTTP application: routes over the journal's view, and what is appended to the journal by hand.

Every read of the view runs in a thread, so that the event loop never waits for the disk.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from monitor.api import annotations, openapi, page, query, releases, webhooks
from monitor.api.answer import encoded
from monitor.api.app_keys import APPEND, CLOCK, METRICS, RECENT, STORE, TELL, Append, Recent, Tell
from monitor.api.problem import MAX_BODY, problem, problems
from monitor.api.readiness import progress
from monitor.api.tokens import OPEN_READS, TOKENS, Tokens, guarded_reads
from monitor.clock import Clock
from monitor.definitions.plan import MetricPlan, Plan
from monitor.export.prometheus import MAX_SERIES, BucketCollector, Segments
from monitor.export.releases import ReleaseCollector
from monitor.journal.records import WHOLE, alert_line
from monitor.journal.releases import kept_releases
from monitor.journal.store import Store
from monitor.model.incident import IncidentState
from monitor.model.record import Record
from monitor.model.release import Release
from monitor.settings import environment

Readiness = Callable[[], Sequence[str]]
"""Why the service is not ready yet, in words; nothing where it is."""


class Serving:
    """What the handlers answer from, as `create_app` was given it."""

    def __init__(
        self,
        store: Store,
        plan: Plan,
        clock: Clock,
        ready: Readiness,
        *,
        scraped: CollectorRegistry,
        counters: CollectorRegistry,
    ) -> None:
        self.store = store
        self.plan = plan
        self.clock = clock
        self.ready = ready
        self.scraped = scraped
        self.counters = counters

    def progress(self) -> dict[str, Any]:
        """What `/readyz` says beside yes and no."""
        return progress(self.store, self.plan, self.counters, now_us=self.clock())

    def metrics(self) -> bytes:
        """The body of `/api/v1/metrics`."""
        series: dict[str, list[dict[str, Any]]] = {}
        for columns in self.store.latest_buckets():
            series.setdefault(columns.metric, []).extend(columns.lines())
        listed = [
            {**definition(metric), "series": series.get(metric.name, [])}
            for metric in self.plan.metrics
        ]
        return msgspec.json.encode({"metrics": listed})

    def alerts(self, state: str | None) -> bytes:
        """The body of `/api/v1/alerts`."""
        return msgspec.json.encode(
            {"alerts": [alert_line(incident) for incident in self.store.alerts(state)]}
        )

    def buckets(
        self,
        metric: str,
        dimension: str,
        segment: str | None,
        since_us: int | None,
        until_us: int | None,
    ) -> bytes:
        """The body of `/api/v1/metrics/{name}/buckets`."""
        found = self.store.columns(metric, dimension, since_us=since_us, until_us=until_us)
        lines = [
            row
            for columns in found
            if segment is None or segment in columns.segments
            for row in columns.rows()
            if segment is None or row.segment == segment
        ]
        return msgspec.json.encode({"buckets": lines})


SERVING = web.AppKey("serving", Serving)


def create_app(
    store: Store | Path | str,
    plan: Plan,
    *,
    clock: Clock,
    registry: CollectorRegistry,
    ready: Readiness = tuple,
    segments: str = Segments.ALL,
    max_series: int = MAX_SERIES,
    multiprocess_dir: Path | str | None = None,
    tokens: Tokens | None = None,
    open_reads: bool = True,
    github_secret: str = "",
    append: Append | None = None,
    tell: Tell | None = None,
) -> web.Application:
    """The application.

    Args:
        store: the journal's view, which stays open for as long as the application serves; or its
            path: the application then opens and closes it.
        plan: the metrics that are served.
        clock: the wall clock, for ages on the page.
        registry: where the service counters of this process are.
        ready: why the service is not ready; called for every `/readyz`.
        segments: series in `/metrics` beside the wholes: `all`, `firing` or `none`.
        max_series: how many series of buckets `/metrics` shows at most.
        multiprocess_dir: where all roles write their counters, by default PROMETHEUS_MULTIPROC_DIR;
            they are then read from there, and `registry` is not.
        tokens: who may write; without any, everyone who reaches it.
        open_reads: whether reads, gates and `/metrics` need no token.
        github_secret: keys the signatures of GitHub's webhook; without one it is refused.
        append: keeps what is written; by default in `store`.
        tell: keeps a release and lets the core know; by default it is only kept.

    Raises:
        StateError: the path is no usable state file.
    """
    view = store if isinstance(store, Store) else Store(store)
    counted = multiprocess_dir or environment().get("PROMETHEUS_MULTIPROC_DIR")
    scraped = CollectorRegistry()
    scraped.register(BucketCollector(view, plan, segments=segments, max_series=max_series))
    scraped.register(ReleaseCollector(lambda: kept_releases(view)))
    counters = CollectorRegistry()
    if counted:
        MultiProcessCollector(counters, path=str(counted))  # type: ignore[no-untyped-call]
    else:
        counters.register(_Of(registry))
    scraped.register(_Of(counters))
    app = web.Application(middlewares=[problems, guarded_reads], client_max_size=MAX_BODY)
    app[SERVING] = Serving(view, plan, clock, ready, scraped=scraped, counters=counters)
    app[STORE], app[CLOCK], app[TOKENS] = view, clock, tokens or Tokens()
    app[OPEN_READS] = open_reads
    app[webhooks.GITHUB_SECRET] = github_secret.encode()
    appends = append or _appending(view)
    app[APPEND], app[RECENT] = appends, Recent()
    app[METRICS], app[TELL] = plan.metrics, tell or _keeping(appends)
    if view is not store:
        app.on_cleanup.append(_close)
    app.add_routes(
        [
            web.get("/", get_page),
            web.get("/metrics", get_prometheus),
            web.get("/healthz", get_health),
            web.get("/readyz", get_readiness),
            web.get("/api/v1/alerts", get_alerts),
            web.get("/api/v1/metrics", get_metrics),
            web.get("/api/v1/metrics/{name}/buckets", get_buckets),
            *openapi.ROUTES,
            *annotations.ROUTES,
            *webhooks.ROUTES,
        ]
    )
    releases.prepare(app)
    return app


def _appending(store: Store) -> Append:
    """Into the state file, off the event loop."""

    async def append(records: Sequence[Record]) -> None:
        await asyncio.to_thread(store.commit, records)

    return append


def _keeping(append: Append) -> Tell:
    """Where no core listens."""

    async def tell(_: Release, record: Record) -> None:
        await append([record])

    return tell


async def _close(app: web.Application) -> None:
    app[SERVING].store.close()


async def get_alerts(request: web.Request) -> web.Response:
    """The newest state of every incident, newest change first; `?state=` picks some."""
    state = query.choice(request.query, "state", IncidentState)
    return _compressed(await asyncio.to_thread(request.app[SERVING].alerts, state))


async def get_metrics(request: web.Request) -> web.Response:
    """The definitions, each with the newest bucket of its series."""
    return _compressed(await asyncio.to_thread(request.app[SERVING].metrics))


async def get_buckets(request: web.Request) -> web.Response:
    """The buckets of a metric that start in [since, until).

    Without `dimension`, of the whole; with one but no `segment`, of all its segments.
    """
    serving = request.app[SERVING]
    metric = query.metric(serving.plan, request.match_info["name"])
    dimension = query.dimension(metric, request.query)
    segment = request.query.get("segment") or (WHOLE if dimension == WHOLE else None)
    since, until = query.span(request.query)
    return _compressed(
        await asyncio.to_thread(serving.buckets, metric.name, dimension, segment, since, until)
    )


async def get_prometheus(request: web.Request) -> web.Response:
    """The exposition for Prometheus."""
    encoder, content_type = choose_encoder(request.headers.get("Accept", ""))
    body = await asyncio.to_thread(encoder, request.app[SERVING].scraped)
    answer = web.Response(body=body, headers={"Content-Type": content_type})
    answer.enable_compression()
    return answer


async def get_health(_request: web.Request) -> web.Response:
    """That the process answers at all."""
    return _compressed(b'{"status":"ok"}')


async def get_readiness(request: web.Request) -> web.Response:
    """Whether the service does its work; 503 with the reasons where not. See `readiness`."""
    serving = request.app[SERVING]
    reasons = list(serving.ready())
    if reasons:
        return problem(503, f"not ready: {'; '.join(reasons)}", reasons=reasons)
    far = await asyncio.to_thread(serving.progress)
    return _compressed(msgspec.json.encode({"status": "ready", **far}))


async def get_page(request: web.Request) -> web.Response:
    """The status page."""
    serving = request.app[SERVING]
    reasons = list(serving.ready())
    text = await asyncio.to_thread(
        page.render, serving.store, serving.plan, now_us=serving.clock(), reasons=reasons
    )
    answer = web.Response(text=text, content_type="text/html", headers=page.HEADERS)
    answer.enable_compression()
    return answer


def definition(metric: MetricPlan) -> dict[str, Any]:
    """A metric's definition as written, with what it was given by default."""
    written: dict[str, Any] = msgspec.json.decode(metric.definition)
    defaults = {
        "name": metric.name,
        "kind": metric.kind,
        "better": metric.better,
        "owner": metric.owner,
        "description": metric.description,
        "unit_name": metric.unit_name,
        "tier": metric.tier,
        "role": metric.role,
    }
    return {name: value for name, value in defaults.items() if value is not None} | written


def _compressed(body: bytes) -> web.Response:
    answer = encoded(body)
    answer.enable_compression()
    return answer


class _Of(Collector):
    """The families of another registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def describe(self) -> Iterable[Metric]:
        """Nothing: names are checked where they were registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """What it collects."""
        yield from self._registry.collect()
