"""Options and output that the verbs share."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

_PLAIN_WIDTH = 120
_F = TypeVar("_F", bound=Callable[..., Any])


def config_option(function: _F) -> _F:
    """`--config DIR`, passed as `config`."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        default=Path("config"),
        show_default=True,
        metavar="DIR",
        help="Folder with monitor.yaml and metrics/.",
    )(function)


def json_option(function: _F) -> _F:
    """`--json`, passed as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def print_json(value: object) -> None:
    """Indented JSON on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


class _Screen(Console):
    """Standard output; whoever stops reading it has seen enough, which is no failure."""

    def on_broken_pipe(self) -> None:
        """Let the command line end as it does wherever the output is closed."""
        raise BrokenPipeError


def console() -> Console:
    """Standard output for tables; without colour where it is no terminal or NO_COLOR is set."""
    width = None if sys.stdout.isatty() else _PLAIN_WIDTH
    return _Screen(highlight=False, width=width)
