"""One alerting rule, and what the rules share."""

from dataclasses import dataclass
from typing import Any

JOB = "monitor"
"""Name of the scrape job that the rules expect."""

SELECTED = f'job="{JOB}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One alerting rule.

    Attributes:
        alert: its name.
        severity: `page`, `ticket`, or `none` for a sign of life.
        expr: it fires while this has a result.
        wait: how long that must last, as Prometheus writes durations.
        summary: what is wrong, in one line.
        remedy: what to do.
    """

    alert: str
    severity: str
    expr: str
    summary: str
    remedy: str
    wait: str = "0m"

    def document(self) -> dict[str, Any]:
        """As it stands in a file of rules."""
        return {
            "alert": self.alert,
            "expr": self.expr,
            "for": self.wait,
            "labels": {"severity": self.severity, "service": "metric-monitor"},
            "annotations": {"summary": self.summary, "description": self.remedy},
        }


def grown(name: str, window: str, *matchers: str, by: str = "job") -> str:
    """Growth of a counter over a window, as Prometheus writes it: `15m`."""
    chosen = ", ".join((SELECTED, *matchers))
    return f"sum by ({by}) (increase(monitor_{name}{{{chosen}}}[{window}]))"
