"""Releases: which one is meant, when its effect is measured, the evidence by series, the verdict.

A stage that knows no other: bets and expectations are handed to it by the core.
"""
