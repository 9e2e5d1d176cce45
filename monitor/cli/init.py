"""`monitor init`: writes a starter configuration."""

from importlib.resources import files
from pathlib import Path

import click

from monitor.errors import InputError

_FILES = {"monitor.yaml": "monitor.yaml", "metrics.yaml": "metrics/shop.yaml"}


@click.command(name="init")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
def command(folder: Path) -> None:
    """Write a commented starter configuration.

    Into DIR; nothing there is overwritten.
    """
    targets = {source: folder / name for source, name in _FILES.items()}
    there = [str(path) for path in targets.values() if path.exists()]
    if there:
        message = f"{', '.join(there)}: exists; remove it or name another folder"
        raise InputError(message)
    try:
        for source, path in targets.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files("monitor.cli").joinpath("starter", source).read_bytes())
    except OSError as error:
        message = f"{error.filename or folder}: cannot be written: {error.strerror}"
        raise InputError(message) from None
    for path in targets.values():
        click.echo(f"wrote {path}")
    click.echo(f"next: monitor check --config {folder}")
