"""The command line: one file per verb, each with a click command named `command`.

A verb's file is imported when the verb is used, so that `monitor check` does not load a Kafka client.
"""

import importlib
import os
import signal
import sys
from collections.abc import Sequence

import click

from monitor.definitions.mistake import did_you_mean
from monitor.errors import MonitorError

VERBS = (
    "init",
    "check",
    "schema",
    "demo",
    "replay",
    "backfill",
    "score",
    "run",
    "explain",
    "annotate",
    "deadletters",
    "dashboards",
)
"""Every verb, in the order of `--help`; the file is `monitor/cli/VERB.py`."""

_INTERRUPTED = 130
_WRONG_USAGE = 2


class _Verbs(click.Group):
    """Finds a verb in its file."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(VERBS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"monitor.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            remedy = did_you_mean(args[0], VERBS) or f"; known are {', '.join(VERBS)}"
            message = f"there is no command {args[0]!r}{remedy}"
            raise click.UsageError(message, ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="metric-monitor", prog_name="monitor")
def monitor() -> None:
    """Watch product metrics, and page only when something really changed."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line and exit; every error is one line on standard error, without a traceback."""
    # Told to stop, a verb must leave as little half-written as when it is interrupted.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(execute(arguments))


def execute(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        # Not `monitor.main`: it has ways of its own to end on Ctrl-C and on a closed pipe.
        with monitor.make_context("monitor", words) as context:
            code = monitor.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        return done.exit_code
    except MonitorError as error:
        click.echo(str(error), err=True)
        return error.exit_code
    except click.ClickException as error:
        is_help = isinstance(error, click.exceptions.NoArgsIsHelpError)
        click.echo(f"{'' if is_help else 'monitor: '}{error.format_message()}", err=True)
        return _WRONG_USAGE
    except (KeyboardInterrupt, click.Abort):
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has seen enough; the flush at exit must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code if isinstance(code, int) else 0
