"""Where decisions of the past are read from: a service, a folder of a replay, a state file."""

from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from monitor.errors import InputError
from monitor.journal.history_folder import FolderHistory
from monitor.journal.history_service import ServiceHistory
from monitor.journal.history_state import StateHistory
from monitor.model.past import Past

_SQLITE = b"SQLite format 3\0"


class History(Protocol):
    """Alerts and buckets that are kept somewhere.

    Raises:
        MonitorError: by every method, where the place cannot be read.
    """

    def close(self) -> None:
        """Release what is held."""
        ...

    def alerts(self) -> list[dict[str, Any]]:
        """The newest state of every incident, as in `alerts.ndjson`, newest change first."""
        ...

    def series(
        self, metric: str, dimension: str, segment: str, *, since_us: int, until_us: int | None
    ) -> Past:
        """The buckets of a series that start in [since, until)."""
        ...

    def segments(self, metric: str, dimension: str) -> list[str]:
        """The segments of a dimension that have buckets, sorted."""
        ...


def open_history(where: str, *, token: str | None) -> History:
    """The history at an address or a path.

    Args:
        where: `http://...`, a folder that a replay wrote, or a SQLite state file.
        token: that the service may ask for.

    Raises:
        InputError: there is nothing of that kind; with the remedy.
    """
    if where.startswith(("http://", "https://")):
        if not urlsplit(where).netloc:
            message = f"--from {where}: names no server; write http://HOST:PORT"
            raise InputError(message)
        return ServiceHistory(where.rstrip("/"), token=token)
    path = find_local(where)
    return FolderHistory(path) if path.is_dir() else StateHistory(path)


def find_local(where: str) -> Path:
    """The folder or the SQLite file of that name.

    Raises:
        InputError: there is none; with the remedy.
    """
    path = Path(where)
    try:
        if path.is_dir():
            return path
        with path.open("rb") as file:
            is_state = file.read(len(_SQLITE)) == _SQLITE
    except OSError as error:
        message = (
            f"--from {where}: {error.strerror}: name a service (http://...), a folder that "
            "`monitor replay --out` wrote, or a state file"
        )
        raise InputError(message) from error
    if not is_state:
        beside = f"; name its folder, {path.parent}" if path.suffix == ".ndjson" else ""
        message = f"--from {where}: is no state file of the monitor{beside}"
        raise InputError(message)
    return path
