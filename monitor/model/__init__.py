"""The values that travel between stages: event, frame, tick, incident, record."""
