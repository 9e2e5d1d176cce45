"""`make fuzz FUZZ=3m`: messages and configurations for so long; stops at the first that breaks a rule.

Every round draws anew. Of a failure the smallest example that was found is printed, with the seed.
"""

import random
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import click
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from monitor.model.quantity import parse_duration
from monitor.model.time import SECOND
from tests.fuzz.configurations import check_configuration
from tests.fuzz.messages import check_messages
from tests.strategies.configurations import ENVIRONMENTS, FILES
from tests.strategies.messages import FIELDS, MESSAGES

_ROUND = 150
"""Examples between two looks at the clock."""
_fuzzed = settings(
    max_examples=_ROUND,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)
_tried: dict[str, Counter[str]] = {"messages": Counter(), "configurations": Counter()}


def _messages() -> None:
    @_fuzzed
    @given(
        st.lists(MESSAGES, min_size=1, max_size=8),
        FIELDS,
        st.lists(st.integers(0, 16), max_size=2),
    )
    def check(
        messages: Sequence[bytes], fields: Mapping[str, str] | None, cuts: Sequence[int]
    ) -> None:
        _tried["messages"] += Counter(batches=1) + check_messages(messages, fields, cuts)

    _round(check)


def _configurations() -> None:
    @_fuzzed
    @given(FILES, ENVIRONMENTS)
    def check(files: tuple[bytes, bytes], environment: Mapping[str, str]) -> None:
        _tried["configurations"] += check_configuration(*files, environment)

    _round(check)


def _round(check: Callable[[], None]) -> None:
    number = random.SystemRandom().getrandbits(32)
    try:
        seed(number)(check)()
    except BaseException as error:
        error.add_note(f"(seed {number})")
        raise


def _show(seconds: float) -> None:
    for what, found in _tried.items():
        listed = ", ".join(f"{name} {count:,}" for name, count in found.most_common())
        click.echo(f"{what}: {listed or 'none'}")
    click.echo(f"{seconds:,.0f} s")


@click.command()
@click.argument("duration", default="3m")
def fuzz(duration: str) -> None:
    """Fuzz for a DURATION such as 3m."""
    try:
        until = time.monotonic() + parse_duration(duration) / SECOND
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    warnings.simplefilter("error")
    begun = time.monotonic()
    try:
        while time.monotonic() < until:
            _messages()
            _configurations()
    finally:
        _show(time.monotonic() - begun)
    click.echo("nothing was found")


if __name__ == "__main__":
    sys.exit(fuzz())
