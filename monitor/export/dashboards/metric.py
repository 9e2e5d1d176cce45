"""The dashboard of one metric: its band, its evidence, its segments, its releases."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from monitor.export.dashboards import frame, links, panels, series, variables
from monitor.export.dashboards.promql import SERIES, gauge, selector, state_codes

_METRIC = 'metric="$metric"'
_SERIES = (_METRIC, 'dimension="$dimension"', 'segment="$segment"')
_SEGMENTS = (_METRIC, 'dimension!="all"')
_DIMENSION = (_METRIC, 'dimension="$dimension"')


def dashboard() -> Dashboard:
    """The dashboard, of any metric: a variable chooses it."""
    board = frame.board(
        "Monitor: metric",
        links.METRIC_UID,
        "One metric, as a whole or a segment of it: its value in the band of what is expected, the "
        "evidence against it, its segments and the releases.",
    )
    for variable in (variables.metric(), variables.dimension(), variables.segment()):
        board.with_variable(variable)
    board.annotation(frame.incidents(_METRIC))
    _add_series(board)
    _add_segments(board)
    return board


def _add_series(board: Dashboard) -> None:
    board.with_row(Row("$metric: $dimension=$segment"))
    board.with_panel(series.band("Value in its band", *_SERIES, unit="short").span(20).height(10))
    board.with_panel(panels.state("State", *_SERIES).span(4).height(10))
    board.with_panel(
        panels.rows(
            "Definition",
            "What the definition says of the metric.",
            f"max by (owner, tier, role, kind, unit_name, better, severity) "
            f"({selector('metric_info', _METRIC)})",
            ("owner", "severity", "tier", "role", "kind", "unit_name", "better"),
        )
        .span(24)
        .height(4)
    )
    board.with_panel(series.evidence("Evidence ratio", [("evidence", _own("evidence_ratio"))]))
    board.with_panel(
        series.lines(
            "Units (n)",
            "Units or events of the newest bucket: the fewer, the wider the band.",
            [("n", _own("units"))],
            unit="short",
        ).min(0)
    )
    board.with_panel(
        series.lines(
            "Rolling value",
            "The value over the metric's window. It is shown, not judged: the bucket is.",
            [("rolling", _own("value"))],
            unit="short",
        )
    )
    board.with_panel(
        series.lines(
            "Departure from expected",
            "The bucket's value relative to what was expected of it.",
            [("departure", f"{_own('bucket_value')} / {_own('expected')} - 1")],
            unit="percentunit",
        )
    )


def _own(name: str) -> str:
    return gauge(name, *_SERIES)


def _add_segments(board: Dashboard) -> None:
    board.with_row(Row("Segments of $metric"))
    board.with_panel(
        panels.ranking(
            "Segments by evidence",
            "The fifteen segments of any dimension with the most evidence now.",
            "{{dimension}}={{segment}}",
            f"topk(15, {gauge('evidence_ratio', *_SEGMENTS)})",
        ).height(10)
    )
    board.with_panel(
        panels.rows(
            "Firing",
            "Incidents of this metric that fire now. Click a segment to look into it.",
            f"max by ({SERIES}, direction, severity) ({selector('alert_active', _METRIC)})",
            ("metric", "dimension", "segment", "direction", "severity"),
            linked="segment",
        ).height(10)
    )
    board.with_panel(
        series.lines(
            "Values by segment",
            "The newest bucket of each segment of the chosen dimension.",
            [("{{segment}}", gauge("bucket_value", *_DIMENSION))],
            unit="short",
        ).data_links([links.to_series()])
    )
    board.with_panel(
        series.evidence(
            "Evidence by segment", [("{{segment}}", gauge("evidence_ratio", *_DIMENSION))]
        ).data_links([links.to_series()])
    )
    board.with_panel(
        panels.states("States", "{{dimension}}={{segment}}", f"{state_codes(_METRIC)}").height(10)
    )
