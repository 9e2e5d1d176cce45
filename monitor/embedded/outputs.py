"""The files that a replay writes. Each appears whole under its name, or not at all."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec

from monitor.core.effects import ClosedBucket, Effect, IncidentChanged, RestatedBucket
from monitor.embedded.whole_file import PARTIAL
from monitor.errors import StateError
from monitor.journal.lines import Judged, bucket_ndjson
from monitor.journal.records import alert_line, dead_letter_line
from monitor.model.event import DeadLetter
from monitor.release.verdict import Verdict

_encoder = msgspec.json.Encoder()


class Buckets(StrEnum):
    """Which buckets are written."""

    ALL = "all"
    PARENTS = "parents"
    NONE = "none"


class FileOutputs:
    """`alerts.ndjson`, `buckets.ndjson`, `dead_letters.ndjson` and `summary.json` in a folder.

    Where releases were told, `verdicts.ndjson` too. They grow under temporary names and are renamed when `finish` is called; left otherwise, they go.

    Args:
        folder: made if absent.
        buckets: which buckets are written.
        restatement_window_us: how long a bucket may still be restated.
    """

    def __init__(self, folder: Path, *, buckets: Buckets, restatement_window_us: int) -> None:
        self.folder = folder
        self._buckets = buckets
        self._judged = Judged(restatement_window_us)
        self._files: dict[str, IO[bytes]] = {}

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in ("alerts", "buckets", "dead_letters"):
                path = self.folder / f"{name}.ndjson{PARTIAL}"
                self._files[name] = path.open("wb", buffering=1 << 20)
        except OSError as error:
            message = f"--out {self.folder}: {error.strerror}: name a folder that can be written to"
            raise StateError(message) from error
        return self

    def effects(self, effects: Sequence[Effect]) -> None:
        """Write what the core decided."""
        for effect in effects:
            if isinstance(effect, ClosedBucket | RestatedBucket):
                if self._buckets != Buckets.NONE:
                    parents = self._buckets == Buckets.PARENTS
                    lines = bucket_ndjson(effect, parents_only=parents, memory=self._judged)
                    self._files["buckets"].write(lines)
            elif isinstance(effect, IncidentChanged) and effect.transition:
                self._write("alerts", alert_line(effect.incident))

    def dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Write what could not be used, whole."""
        for letter in letters:
            self._write("dead_letters", dead_letter_line(letter))

    def verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Write `verdicts.ndjson`, one release a line."""
        path = self.folder / f"verdicts.ndjson{PARTIAL}"
        self._files["verdicts"] = path.open("wb")
        self._files["verdicts"].write(_encoder.encode_lines(verdicts))

    def _write(self, name: str, line: dict[str, Any]) -> None:
        self._files[name].write(_encoder.encode(line) + b"\n")

    def finish(self, summary: dict[str, Any]) -> None:
        """Give the files their names; the summary comes last."""
        for name, file in self._files.items():
            file.close()
            path = self.folder / f"{name}.ndjson"
            path.with_name(path.name + PARTIAL).replace(path)
        self._files.clear()
        partial = self.folder / f"summary.json{PARTIAL}"
        partial.write_bytes(msgspec.json.format(_encoder.encode(summary), indent=2) + b"\n")
        partial.replace(self.folder / "summary.json")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name, file in self._files.items():
            file.close()
            (self.folder / f"{name}.ndjson{PARTIAL}").unlink(missing_ok=True)
        (self.folder / f"summary.json{PARTIAL}").unlink(missing_ok=True)
