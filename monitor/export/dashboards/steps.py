"""What to do when something fires, as the text of a panel."""

from monitor.definitions.plan import Plan


def next_steps(plan: Plan, status_url: str) -> str:
    """Markdown: where to look, what to run, whom to follow."""
    steps = [
        f"1. **What and where:** [the status page]({status_url}/) has every incident in words, with "
        "the segments that carry it, the nearest release and the state of the data.",
        "2. **Why:** `monitor explain ALERT` shows the evidence over time; the id of the alert stands "
        "on the status page and in the notification.",
        "3. **Can it be trusted?** See *Data quality* below: dead letters, late events and a watermark "
        "that stands still come before any cause in the product.",
        "4. **What to do:**",
    ]
    runbooks = [
        f"   * {metric.name}: [runbook]({metric.runbook_url})"
        for metric in plan.metrics
        if metric.runbook_url
    ]
    none = ["   * No metric names a runbook: set `alert.runbook_url` in its definition."]
    return "\n".join(steps + (runbooks or none))
