"""HTTP: JSON routes, probes, `/metrics` and the status page."""
