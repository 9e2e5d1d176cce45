"""When, where and on which version things happen: arrays with one entry an event or line."""

from dataclasses import dataclass

from monitor.ingest.synthetic.market import Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasions:
    """Arrays of one length.

    Attributes:
        time_us: when.
        country, platform, version: codes.
    """

    time_us: Ints
    country: Ints
    platform: Ints
    version: Ints

    def __len__(self) -> int:
        return len(self.time_us)

    def taken(self, which: Ints) -> "Occasions":
        """Those of these indices, as often as they occur in it."""
        return Occasions(
            time_us=self.time_us[which],
            country=self.country[which],
            platform=self.platform[which],
            version=self.version[which],
        )
