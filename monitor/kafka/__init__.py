"""The flow on Kafka: source topic -> ingest -> frames -> core -> journal topics -> serve.

`broker` connects, `topics` names and creates; `framing` is how a frame travels, `snapshots` how a
state does. `ingest_worker`, `shard_worker` and `view_worker` are the roles, each around one unit of
ownership (`source_partition`, `shard`); `supervisor` runs them as processes.
"""

import logging

# What a client says of a broker that it cannot reach is said in one line by the error; where a process
# has not set up its logs, Python would print it beside that.
logging.getLogger("aiokafka").addHandler(logging.NullHandler())
