"""The flow on Kafka: source topic -> ingest -> frames -> core -> journal topics -> serve.

`broker` connects, `topics` names and creates; `framing` is how a frame travels, `snapshots` how a
state does. `ingest_worker`, `shard_worker` and `view_worker` are the roles, each around one unit of
ownership (`source_partition`, `shard`); `supervisor` runs them as processes.
"""
