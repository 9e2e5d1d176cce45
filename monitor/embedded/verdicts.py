"""The verdicts of a replay: the newest evidence of every release, judged at the end."""

from collections.abc import Iterable, Sequence

from monitor.core.effects import Effect, ReleaseJudged
from monitor.definitions.plan import Plan
from monitor.model.release import Release
from monitor.model.time import FOREVER
from monitor.release.book import Book, overlapping
from monitor.release.evidence import MetricEvidence, evidence
from monitor.release.verdict import Verdict, judge


class Verdicts:
    """Follows the effects of a core."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._newest: dict[tuple[str, tuple[str, ...]], ReleaseJudged] = {}

    def effects(self, effects: Sequence[Effect]) -> None:
        """Take what the core decided: of each release and lane the newest counts."""
        for effect in effects:
            if isinstance(effect, ReleaseJudged):
                self._newest[effect.release.id, effect.metrics] = effect

    def verdicts(self, releases: Iterable[Release]) -> list[Verdict]:
        """The verdict of every release, in the order of their starts."""
        by_release: dict[str, dict[str, MetricEvidence]] = {}
        for (release, _), effect in self._newest.items():
            found = {one.metric: one for one in evidence(effect)}
            by_release.setdefault(release, {}).update(found)
        book = Book()
        book.take(releases)
        windows = book.windows()
        return [
            judge(
                window.release,
                by_release.get(window.release.id, {}),
                self._plan.metrics,
                others=overlapping(windows, window, FOREVER),
            )
            for window in windows
        ]
