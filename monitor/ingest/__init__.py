"""Bytes to frames: envelope -> event -> cell -> frame, one source partition (or file) at a time."""
