"""Errors that a user meets: each names the place, the value and the remedy, on one line."""


class MonitorError(Exception):
    """Base of every error that ends a command; printed as one line, without a traceback.

    Attributes:
        exit_code: what the command exits with (2 wrong usage or configuration, 4 server not reached).
    """

    exit_code = 2


class ConfigError(MonitorError):
    """The configuration has mistakes; the message holds one line for each of them."""


class InputError(MonitorError):
    """A file that was named cannot be read at all (absent, a directory, no permission)."""


class UnreachableError(MonitorError):
    """A server that the command needs does not answer."""

    exit_code = 4


class StateError(MonitorError):
    """State on disk or on a topic does not fit what the command wants to do with it."""
