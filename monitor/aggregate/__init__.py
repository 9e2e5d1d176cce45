"""Frames to ticks: sources and their watermarks, series and their rows, open and closed buckets."""
