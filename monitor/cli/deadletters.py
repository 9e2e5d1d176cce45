"""`monitor deadletters`: what could not be used, and sending it again."""

import collections
import contextlib
import heapq
import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from monitor.cli.options import config_option, console, json_option, print_json
from monitor.clock import wall_clock
from monitor.definitions import load
from monitor.errors import InputError
from monitor.journal.history import find_local
from monitor.journal.letters import Choice, Letters, Outlet, Tally
from monitor.journal.letters_file import FileOutlet
from monitor.journal.letters_folder import FolderLetters
from monitor.journal.letters_state import StateLetters
from monitor.kafka.connections import journal_broker
from monitor.kafka.letters import TopicLetters
from monitor.model.event import Reject
from monitor.model.letter import Letter
from monitor.model.quantity import parse_duration
from monitor.model.time import from_rfc3339
from monitor.report.letters import by_reason, letter_json, letters_table
from monitor.settings import KafkaJournal, environment

_F = TypeVar("_F", bound=Callable[..., Any])


def _choosing(function: _F) -> _F:
    """The options by which letters are chosen, in both verbs."""
    options = [
        config_option,
        click.option(
            "--from",
            "where",
            metavar="WHERE",
            help="A folder that replay wrote, or a state file; by default the Kafka topic or the "
            "state file of the configuration.",
        ),
        click.option(
            "--reason",
            "reasons",
            multiple=True,
            type=click.Choice([reason.value for reason in Reject]),
            help="Only those with this reason; may be repeated.",
        ),
        click.option(
            "--since",
            metavar="TIME",
            help="Only those read since then: 2026-11-21T10:00:00Z, or a duration such as 2h.",
        ),
        json_option,
    ]
    for option in reversed(options):
        function = option(function)
    return function


@click.group(name="deadletters")
def command() -> None:
    """What could not be used: list it, send it again."""


@command.command(name="list")
@_choosing
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="How many are shown; all are counted.",
)
@click.option(
    "--payload",
    is_flag=True,
    help="Also show the beginning of what came; it may hold personal data.",
)
def list_(
    *,
    config: Path,
    where: str | None,
    reasons: tuple[str, ...],
    since: str | None,
    as_json: bool,
    limit: int,
    payload: bool,
) -> None:
    """List what could not be used, newest first, and count it by reason."""
    _say_anything()
    with _opened(where, config) as letters:
        tally = Tally()
        chosen = tally.chosen(letters, _choice(letters, reasons, since))
        newest = _newest(chosen, limit)
        if as_json:
            print_json(
                {
                    "dead_letters": [letter_json(one, payload=payload) for one in newest],
                    "reasons": dict(sorted(tally.reasons.items())),
                    "total": tally.reasons.total(),
                    "sent_again": tally.replayed,
                    "came_back": tally.returned,
                }
            )
            return
        _print_list(newest, tally, letters.place, payload=payload)


def _newest(letters: Iterator[Letter], limit: int) -> list[Letter]:
    """The newest ones, newest first; of those that do not say when, the last ones."""
    ranked = (
        (letter.read_us or 0, number, msgspec.structs.replace(letter, body=b""))
        for number, letter in enumerate(letters)
    )
    if limit == 0:
        collections.deque(ranked, maxlen=0)  # they are counted as they pass
    return [letter for _, _, letter in heapq.nlargest(limit, ranked)]


def _print_list(newest: list[Letter], tally: Tally, place: str, *, payload: bool) -> None:
    screen = console()
    total = tally.reasons.total()
    if not total:
        which = f"none of the {tally.kept:,} is meant" if tally.kept else "none is kept"
        screen.print(f"no dead letter: {which} in {place}", markup=False)
        return
    if newest:
        screen.print(letters_table(newest, payload=payload))
    if total > len(newest):
        screen.print(f"and {total - len(newest):,} more: --limit")
    screen.print(f"{total:,} in {place}: {by_reason(tally.reasons)}", markup=False, soft_wrap=True)
    if tally.replayed:
        came = f", {tally.returned:,} came back" if tally.returned else ""
        screen.print(f"{tally.replayed:,} of them were sent again{came}")


@command.command(name="replay")
@_choosing
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE.ndjson",
    help="Where to, without Kafka: a new file, to be replayed, backfilled or served.",
)
@click.option("--dry-run", is_flag=True, help="Only tell how many would be sent.")
@click.option("--again", is_flag=True, help="Also those that were sent before.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def replay(
    *,
    config: Path,
    where: str | None,
    reasons: tuple[str, ...],
    since: str | None,
    as_json: bool,
    out: Path | None,
    dry_run: bool,
    again: bool,
    yes: bool,
) -> None:
    """Send what could not be used once more, as it came: once the reason is mended.

    On Kafka it goes to the source topic, into the partition that it came from, with the header
    monitor-replayed; whoever else reads that topic sees it again too. Each is sent once: those that
    were sent, and those that came back, are left out without --again.
    """
    _say_anything()
    with _opened(where, config) as letters:
        choice = _choice(letters, reasons, since)
        outlet = _outlet(letters, out, dry_run=dry_run)
        with contextlib.nullcontext() if dry_run else outlet.begin():
            found = _survey(letters, choice, outlet, again=again)
            if not dry_run and found.total and _agreed(found, outlet, yes=yes):
                meant = (
                    letter
                    for letter in Tally().chosen(letters, choice)
                    if (again or letter.is_new) and outlet.refuses(letter) is None
                )
                found.sent = outlet.send(meant, wall_clock())
        _tell(found, outlet, letters.place, dry_run=dry_run, as_json=as_json)


@dataclass(slots=True, kw_only=True)
class _Found:
    """What is there to be sent, and what was."""

    tally: Tally
    reasons: collections.Counter[str]
    refused: collections.Counter[str]
    left_out: int
    sent: int | None = None

    @property
    def total(self) -> int:
        return self.reasons.total()


def _survey(letters: Letters, choice: Choice, outlet: Outlet, *, again: bool) -> _Found:
    found = _Found(
        tally=Tally(), reasons=collections.Counter(), refused=collections.Counter(), left_out=0
    )
    for letter in found.tally.chosen(letters, choice):
        why = outlet.refuses(letter)
        if not (again or letter.is_new):
            found.left_out += 1
        elif why is not None:
            found.refused[why] += 1
        else:
            found.reasons[letter.reason] += 1
    return found


def _agreed(found: _Found, outlet: Outlet, *, yes: bool) -> bool:
    if yes or not sys.stdin.isatty():
        return True
    question = f"Send {found.total:,} ({by_reason(found.reasons)}) to {outlet.target}?"
    return click.confirm(question, err=True)


def _tell(found: _Found, outlet: Outlet, place: str, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "to": outlet.target,
                "sent": found.sent or 0,
                "would_send" if dry_run else "chosen": found.total,
                "reasons": dict(sorted(found.reasons.items())),
                "sent_before": found.left_out,
                "cannot_be_sent": dict(found.refused),
            }
        )
        return
    if not found.total:
        click.echo(f"nothing to send: {_why_nothing(found, place)}")
    elif dry_run:
        click.echo(f"would send {found.total:,} ({by_reason(found.reasons)}) to {outlet.target}")
    elif found.sent is None:
        click.echo("nothing was sent")
    else:
        click.echo(f"sent {found.sent:,} ({by_reason(found.reasons)}) to {outlet.target}")
    if found.left_out and found.total:
        click.echo(f"left out {found.left_out:,} that were sent before: --again sends them too")
    for why, count in found.refused.items():
        click.echo(f"left out {count:,} that cannot be sent there: {why}")


def _why_nothing(found: _Found, place: str) -> str:
    if not found.tally.kept:
        return f"no dead letter is kept in {place}"
    if found.left_out:
        return f"{found.left_out:,} in {place} were sent before: --again sends them too"
    if found.refused:
        return f"what is in {place} cannot be sent to where it should go"
    return f"none of the {found.tally.kept:,} in {place} has such a reason and time"


def _outlet(letters: Letters, out: Path | None, *, dry_run: bool) -> Outlet:
    if isinstance(letters, TopicLetters):
        if out is not None:
            message = "--out is for a source without Kafka: here they go to the source topic again"
            raise click.UsageError(message)
        return letters
    if isinstance(letters, StateLetters) and letters.is_view:
        message = (
            f"--from {letters.place}: only shows what a service on Kafka keeps; leave --from away "
            "and name its --config"
        )
        raise InputError(message)
    if out is None and not dry_run:
        message = "without Kafka they go to a file: name a new one with --out FILE.ndjson"
        raise click.UsageError(message)
    assert isinstance(letters, FolderLetters | StateLetters)  # noqa: S101 - for the type
    return FileOutlet(out or Path("FILE.ndjson"), letters)


@contextlib.contextmanager
def _opened(where: str | None, config: Path) -> Iterator[Letters]:
    letters = _service(config) if where is None else _local(where)
    try:
        yield letters
    finally:
        letters.close()


def _service(config: Path) -> Letters:
    settings = load(config, environment=environment()).settings
    kafka = settings.source.kafka
    if kafka is not None:
        prefix = (settings.kafka_journal or KafkaJournal()).prefix
        broker = journal_broker(settings)
        return TopicLetters(broker, prefix=prefix, source=kafka.topic)
    if not Path(settings.sqlite_path).exists():
        message = (
            f"{settings.sqlite_path}: there is no such state file: the service has not run here; "
            "run it, set journal.sqlite, or name a folder that `monitor replay` wrote with --from"
        )
        raise InputError(message)
    return _local(settings.sqlite_path)


def _local(where: str) -> Letters:
    if where.startswith(("http://", "https://")):
        message = (
            f"--from {where}: a service does not hand out dead letters, which may hold personal "
            "data: name its --config or its state file instead"
        )
        raise InputError(message)
    path = find_local(where)
    return FolderLetters(path) if path.is_dir() else StateLetters(path)


def _choice(letters: Letters, reasons: tuple[str, ...], since: str | None) -> Choice:
    if since is not None and not letters.dated:
        message = "--since: the folder of a replay does not keep when a line was read; leave it out"
        raise InputError(message)
    return Choice(reasons=frozenset(reasons), since_us=None if since is None else _moment(since))


def _moment(text: str) -> int:
    try:
        return wall_clock() - parse_duration(text)
    except ValueError:
        pass
    try:
        return from_rfc3339(text)
    except ValueError as error:
        message = (
            f"--since {text!r}: is no time such as 2026-11-21T10:00:00Z, nor a duration such as 2h"
        )
        raise click.UsageError(message) from error


def _say_anything() -> None:
    """What the terminal cannot show is escaped, not an error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
