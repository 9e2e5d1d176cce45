"""`monitor score`: one series from a CSV file, judged row by row, without a configuration."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from monitor.embedded.whole_file import WholeFile
from monitor.ingest.files import STANDARD_INPUT, LineFile, open_lines
from monitor.score import SeriesScorer
from monitor.score.rows import HEADER, Reader, written

_SHOWN: Final = 5


class _Totals:
    """What came of it."""

    def __init__(self) -> None:
        self.rows = self.missing = self.alerts = 0
        self.first: list[str] = []


@click.command(name="score")
@click.argument("file", metavar="FILE.csv")
@click.option(
    "--out",
    type=click.Path(path_type=Path, allow_dash=True),
    default=Path(STANDARD_INPUT),
    metavar="FILE.csv",
    help="Where the judged rows go; - (the default) is standard output.",
)
def command(file: str, out: Path) -> None:
    """Judge one series, row by row, without a configuration.

    FILE.csv has the columns timestamp,value and perhaps n, the units behind a value; plain, .gz or .zst;
    `-` reads standard input. Every row in gives one row out: what was expected from the rows before it, a
    score from 0 to 1, and alert 1 where an incident begins.
    """
    source = open_lines(file)
    reader, totals = Reader(), _Totals()
    try:
        if str(out) == STANDARD_INPUT:
            stream = click.get_binary_stream("stdout")
            for block in _judged(source, reader, totals):
                stream.write(block)
                stream.flush()
        else:
            with WholeFile(out, "--out") as whole:
                whole.finish(b"".join(_judged(source, reader, totals)))
    finally:
        source.close()
    _tell(source, reader, totals)


def _judged(source: LineFile, reader: Reader, totals: _Totals) -> Iterator[bytes]:
    """The judged rows of each block that was read."""
    scorer = SeriesScorer()
    yield HEADER.encode()
    for lines in source.blocks():
        block: list[str] = []
        for line in lines:
            row = reader.read(line)
            if row is None:
                continue
            judged = scorer.judge(row.number, row.time, row.n)
            block.append(written(row, judged))
            totals.rows += 1
            totals.missing += not row.value
            if judged.alert:
                totals.alerts += 1
                totals.first.append(f"{row.timestamp} ({judged.reason})")
        yield "".join(block).encode("utf-8", "surrogateescape")


def _tell(source: LineFile, reader: Reader, totals: _Totals) -> None:
    for note in source.warnings:
        click.echo(f"warning: {note}", err=True)
    for note in reader.notes:
        click.echo(f"warning: {source.name}: {note}", err=True)
    for problem, count in reader.problems.items():
        click.echo(
            f"warning: {source.name}: {count:,} of {totals.rows:,} rows with {problem}", err=True
        )
    shown = ", ".join(totals.first[:_SHOWN]) + (" ..." if totals.alerts > _SHOWN else "")
    alerts = f"{totals.alerts:,} alerts: {shown}" if totals.alerts else "no alert"
    click.echo(f"{totals.rows:,} rows, {totals.missing:,} without a value, {alerts}", err=True)
