"""The deterministic core: `apply(frame) -> effects`, snapshot and restore."""
