"""`monitor explain`: why an alert fired, or why nothing did."""

import io
import math
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from monitor.cli.options import config_option, console, json_option, print_json
from monitor.definitions import compile_plan, load
from monitor.definitions.plan import MetricPlan, Plan
from monitor.errors import InputError
from monitor.journal.history import History, open_history
from monitor.report.explained import alert_table, explained
from monitor.report.explanation import Alert, Explanation
from monitor.report.question import find_metric, parse_moment, place
from monitor.report.why_not_paged import covering, explain_moment, span_around
from monitor.report.why_paged import explain_alert, span_of
from monitor.settings import Api, environment

_NEWEST = 20
"""Alerts that are listed where none is asked for."""
_OFFERED = 5
"""Ids that are offered where one is not known."""
_LEAST = 4
"""Characters of an id at least."""
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - asked, not bound


@click.command(name="explain")
@click.argument("question", required=False, metavar="[ALERT_ID | METRIC[,dim=value]@TIME]")
@config_option
@click.option(
    "--from",
    "where",
    metavar="WHERE",
    help="A service (http://...), a folder that replay wrote, or a state file; by default the "
    "service of the configuration.",
)
@json_option
def command(question: str | None, config: Path, where: str | None, *, as_json: bool) -> None:
    """Why an alert fired, or why nothing did.

    ALERT_ID may be the beginning of one; without it the newest alerts are listed. With a metric and a
    time, such as orders,country=DE@2026-10-24T14:05:00Z, it tells what the guard saw then.
    """
    configuration = load(config, environment=environment())
    plan = compile_plan(configuration, shards=1)
    _say_anything()
    api = configuration.settings.api
    token = environment().get(api.token_env) if api.token_env else None
    history = open_history(_service(api) if where is None else where, token=token)
    try:
        if question is None:
            _list(history.alerts(), as_json=as_json)
            return
        asked = _moment(question, history, plan) if "@" in question else None
        _show(asked or _alert(question, history, plan), as_json=as_json)
    finally:
        history.close()


def _say_anything() -> None:
    """A name of a segment that the terminal cannot show is escaped, not an error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _service(api: Api) -> str:
    if api.port == 0:
        message = "api.port is 0, any free port: name the service with --from http://HOST:PORT"
        raise InputError(message)
    host = _ANYWHERE.get(api.host, api.host)
    return f"http://[{host}]:{api.port}" if ":" in host else f"http://{host}:{api.port}"


def _alert(asked: str, history: History, plan: Plan) -> Explanation:
    alerts = history.alerts()
    alert = _find(asked, alerts)
    return _of_alert(asked, alert, alerts, history, plan)


def _of_alert(
    asked: str,
    alert: Alert,
    alerts: list[Alert],
    history: History,
    plan: Plan,
    *,
    at_us: int | None = None,
) -> Explanation:
    metric = next((m for m in plan.known if m.name == alert["metric"]), None)
    since, until = span_of(alert, metric)
    past = history.series(
        alert["metric"], alert["dimension"], alert["segment"], since_us=since, until_us=until
    )
    return explain_alert(asked, alert, past.rows, metric, alerts=alerts, at_us=at_us)


def _find(asked: str, alerts: list[Alert]) -> Alert:
    """The alert of that id, or of the one id that begins so."""
    found = [alert for alert in alerts if alert["alert_id"].startswith(asked)]
    exact = [alert for alert in found if alert["alert_id"] == asked]
    if exact or (len(found) == 1 and len(asked) >= _LEAST):
        return (exact or found)[0]
    if not alerts:
        message = f"no alert is kept there, so there is none {asked!r}; see --from"
        raise InputError(message)
    offered = found or alerts
    ids = ", ".join(
        f"{alert['alert_id']} ({alert['metric']}, {alert['started_at']})"
        for alert in offered[:_OFFERED]
    )
    if len(asked) < _LEAST:
        what = f"{asked!r} is too short for an id; give {_LEAST} characters or more"
    elif found:
        what = f"{len(found)} alerts begin with {asked!r}; give more of the id"
    else:
        what = f"there is no alert {asked!r}, nor METRIC@TIME"
    more = f" and {len(offered) - _OFFERED} more" if len(offered) > _OFFERED else ""
    message = f"{what}: {'such as' if found else 'the newest are'} {ids}{more}"
    raise InputError(message)


def _moment(asked: str, history: History, plan: Plan) -> Explanation:
    moment = parse_moment(asked)
    metric = find_metric(moment.metric, plan.metrics)
    dimension, segment = place(moment, metric)
    alerts = history.alerts()
    alert = covering(alerts, metric.name, dimension, segment, moment.at_us)
    if alert is not None:
        return _of_alert(asked, alert, alerts, history, plan, at_us=moment.at_us)
    since, until = span_around(moment.at_us, metric)
    past = history.series(metric.name, dimension, segment, since_us=since, until_us=until)
    if past.last_us is None:
        _refuse_unknown(metric, dimension, segment, history)
    return explain_moment(
        asked,
        past,
        metric,
        dimension=dimension,
        segment=segment,
        at_us=moment.at_us,
        alerts=alerts,
    )


def _refuse_unknown(metric: MetricPlan, dimension: str, segment: str, history: History) -> None:
    """Tell what there is where a series has no bucket at all."""
    known = history.segments(metric.name, dimension)
    if not known:
        message = (
            f"no bucket of {metric.name!r} by {dimension} is kept there: it was not measured, or "
            "`monitor replay --buckets` left it out; see --from"
        )
        raise InputError(message)
    shown = ", ".join(known[:_NEWEST]) + (" ..." if len(known) > _NEWEST else "")
    folded = (
        "; beyond the cap of values (cardinality.per_dimension) it counts in 'other'"
        if any("other" in name.split(",") for name in known)
        else ""
    )
    message = (
        f"metric {metric.name!r} has no {dimension}={segment}: no event with it was seen, or not "
        f"lately{folded}; known are {shown}"
    )
    raise InputError(message)


def _show(explanation: Explanation, *, as_json: bool) -> None:
    if as_json:
        print_json(_finite(msgspec.to_builtins(explanation)))
    else:
        console().print(explained(explanation))


def _list(alerts: list[Alert], *, as_json: bool) -> None:
    if as_json:
        print_json({"alerts": alerts})
        return
    screen = console()
    if not alerts:
        screen.print("no alert is kept there")
        return
    screen.print(alert_table(alerts[:_NEWEST]))
    if len(alerts) > _NEWEST:
        screen.print(f"and {len(alerts) - _NEWEST} older ones: --json lists all")


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: null stands for them."""
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
