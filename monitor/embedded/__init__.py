"""The same flow in one process, without a broker: history from files through ingest and core."""
