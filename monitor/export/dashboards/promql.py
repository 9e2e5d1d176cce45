"""The expressions of the panels. Several monitors may serve one journal: equal series count once."""

from monitor.model.tick import State

SERIES = "metric, dimension, segment"
SCRAPED = 'job=~"$job", instance=~"$instance"'
"""What every selector of a dashboard holds."""

WHOLE = 'dimension="all", segment="all"'


def selector(name: str, *matchers: str) -> str:
    """A series of the monitor, as the variables of the dashboard select it.

    >>> selector("value", 'metric="orders"')
    'monitor_value{job=~"$job", instance=~"$instance", metric="orders"}'
    """
    return f"monitor_{name}{{{', '.join((SCRAPED, *matchers))}}}"


def gauge(name: str, *matchers: str, by: str = SERIES) -> str:
    """A figure of series, whichever instance serves it."""
    return f"max by ({by}) ({selector(name, *matchers)})"


def rate(name: str, by: str = "", *matchers: str) -> str:
    """Counts per second over all instances; `by` names the labels that are kept apart."""
    kept = f" by ({by})" if by else ""
    return f"sum{kept} (rate({selector(name, *matchers)}[$__rate_interval]))"


def owned(name: str, matchers: str) -> str:
    """A figure of a source, told by the instance whose watermark of the source is the newest.

    An instance that gave a source away goes on showing what it saw last.
    """
    watermark = f"monitor_watermark_timestamp_seconds{{{matchers}}}"
    newest = f"{watermark} == on (job, source) group_left () max by (job, source) ({watermark})"
    place = "on (job, instance, source)"
    return f"monitor_{name}{{{matchers}}} and {place} ({newest})"


def state_codes(*matchers: str, by: str = SERIES) -> str:
    """The state of series as the number of `monitor.model.tick.State`, for mappings to colours.

    A state is a label with the value 1; a panel needs one series whose value changes.
    """
    terms = (
        selector("state_info", *matchers, f'state="{state.label}"') + f" * {state.value}"
        for state in State
    )
    return f"max by ({by}) ({' or '.join(terms)})"


def quoted(value: str) -> str:
    r"""A value within a matcher.

    >>> quoted('a"b')
    '"a\\"b"'
    """
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
