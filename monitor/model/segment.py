"""The text of a segment: one CSV row of the values of its dimensions."""

import re
from collections.abc import Sequence

_QUOTED = frozenset(',"\r\n')
"""A value with one of these is quoted, as in CSV."""
_CELL = re.compile(r'(?:^|,)(?:"((?:[^"]|"")*)"|([^,"]*))')


def format_segment(values: Sequence[str]) -> str:
    """One CSV row of values, as it stands in `segment`.

    >>> format_segment(["DE", 'a "b", c'])
    'DE,"a ""b"", c"'
    """
    return ",".join(
        value if _QUOTED.isdisjoint(value) else '"' + value.replace('"', '""') + '"'
        for value in values
    )


def parse_segment(segment: str) -> list[str]:
    """The values of a segment.

    >>> parse_segment('DE,"a ""b"", c"')
    ['DE', 'a "b", c']
    """
    if '"' not in segment:
        return segment.split(",")
    return [
        quoted.replace('""', '"') if quoted else plain for quoted, plain in _CELL.findall(segment)
    ]


def segment_value(segment: str) -> str:
    """The one value of a segment of a single dimension."""
    return parse_segment(segment)[0] if '"' in segment else segment
