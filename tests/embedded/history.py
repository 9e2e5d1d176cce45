"""Four weeks of the small shop of the system tests, and the fall after them, for one process."""

from pathlib import Path

from monitor.definitions import Configuration, load
from monitor.journal.store import Store
from tests.system import shop

START = 20_400 * shop.DAY
END = START + 21 * shop.DAY
"""Of the calm part; the metrics are judged from the 18th day on."""
LATER = END + 6 * shop.HOUR

Lines = list[bytes]


def calm(start: int = START, end: int = END) -> Lines:
    """The history without an incident."""
    return [line.body for line in shop.lines(start, end)]


def fallen(start: int = END, end: int = LATER) -> Lines:
    """Hours in which two of five orders are missing."""
    return [line.body for line in shop.lines(start, end, fall=0.4)]


def write(path: Path, lines: Lines) -> Path:
    """A file of these lines."""
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def configured(folder: Path, source: str, **more: str) -> tuple[Path, Configuration]:
    """A configuration folder of the shop with this source, its state beside it."""
    config = folder / "config"
    (config / "metrics").mkdir(parents=True, exist_ok=True)
    (config / "metrics" / "shop.yaml").write_text(shop.METRICS)
    settings = {"source": source, "journal": f"{{sqlite: {folder / 'state.db'}}}", **more}
    text = "".join(f"{name}: {value}\n" for name, value in settings.items())
    (config / "monitor.yaml").write_text(text)
    return config, load(config, environment={})


def everything(store: Store) -> tuple[list[dict[str, object]], list[tuple[str, str, str]]]:
    """Every bucket of the orders, and every incident as id, state and start."""
    buckets = [
        row
        for dimension in ("all", "country")
        for row in store.buckets("orders", dimension, None)
        if row["state"] != "partial"
    ]
    alerts = sorted((a.alert_id, a.state.value, a.started_at) for a in store.alerts())
    return buckets, alerts
