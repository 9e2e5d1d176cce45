"""A streaming monitor for product metrics that keeps one alert budget.

The flow, in reading order:

1. `definitions`: YAML to a `Plan`: what to measure, how to judge it, the thresholds of the budget.
2. `ingest`: the bytes of one source to frames: sums by bucket and series, or a dead letter.
3. `aggregate`: frames to open buckets, which close when the watermark of every source has passed.
4. `baseline`: what a closed bucket should have been. `guard`: whether it was; evidence and a reason.
5. `diagnose` and `alert`: where it moved, and the incident through its life, in words.
6. `core`: the machine that composes 3 to 5: `apply(frame) -> effects`, snapshot and restore.
7. `journal`: effects as records, and a SQLite file of them with the queries that people ask.
8. `export` and `api`: Prometheus, Alertmanager, HTTP, the status page.
9. `embedded` feeds all this from files in one process; `kafka` as a service of several.
"""
