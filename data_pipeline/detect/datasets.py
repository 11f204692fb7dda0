"""Judge datasets by their own settings: those that share settings are judged together, in one pass."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache

from config.datasets import DatasetSettings
from config.settings import Settings
from data_pipeline.detect.blocks import together
from data_pipeline.detect.detect import Detection, detect
from data_pipeline.detect.feedback import heard, masked
from data_pipeline.detect.feedback_views import EVERYTHING, FeedbackGiven, Said
from data_pipeline.detect.median import MedianDetector
from data_pipeline.detect.opinion import Opinion
from data_pipeline.detect.wall import UTC_WALL, Wall
from data_pipeline.detect.walls import Walls
from data_pipeline.detect.watch import Seen, Terms, Watch
from utils.clock import Clock
from utils.database import Database
from utils.history import Block, History

LOOKED_AT = 256  # points that a run reads of a series
REMEMBERED = 1_000  # points that the ensemble learns from


class RunDetection:
    """What a run asks: its new points, and in turn what the ensemble says of all. One a process. Thread-safe."""

    def __init__(self, history: History, database: Database, clock: Clock, settings: Settings) -> None:
        self._history = history
        self._feedback = FeedbackGiven(database)
        self._watch = Watch(database, clock)
        self._walls = Walls(settings)

    def find(self, datasets: Iterable[DatasetSettings], since: float, took: float) -> Detection:
        """Anomalies among the points since then (epoch seconds); `took`: seconds that the run has taken."""
        feedback = self._feedback.all()
        return detect_datasets(
            self._history,
            datasets,
            new_since=since,
            feedback=feedback,
            watch=self._watch,
            took=took,
            wall_of=self._walls.of,
        )


def detect_datasets(
    history: History,
    datasets: Iterable[DatasetSettings],
    *,
    new_since: float | None = None,
    feedback: Sequence[Said] = (),
    last: int = LOOKED_AT,
    new_points: int = 1,
    rate: float | None = None,
    wall_of: Callable[[DatasetSettings], Wall] = lambda _: UTC_WALL,
    watch: Watch | None = None,
    took: float = 0.0,
) -> Detection:
    """Anomalies among the points since `new_since` (epoch seconds), or among the newest `new_points`.

    A dataset with `detect.enabled: false` is left out.

    Args:
        feedback: What people said; it is heeded.
        last: Points of each series that are read.
        rate: Takes the place of what each dataset says.
        wall_of: Whose days and weeks are the season of a dataset.
        watch: Looks at some of the series with the ensemble, in turn; for points `new_since` alone.
        took: Seconds that the run has taken: what the watch may take goes by it.
    """
    alike: dict[Terms, list[str]] = {}
    for dataset in datasets:
        written = dataset.detect
        if written.enabled:
            detector = MedianDetector(rate or written.rate, written.direction, wall=wall_of(dataset))
            terms = Terms(detector, written.ignore_below, frozenset(written.exclude))
            alike.setdefault(terms, []).append(dataset.name)

    @cache
    def past(subject: str) -> Sequence[Block]:
        return tuple(masked(together(history.blocks([subject], last=REMEMBERED)), feedback))

    opinion = Opinion(past=past if last < REMEMBERED else None)
    found, read = [], []
    for terms, names in alike.items():
        blocks = list(masked(history.blocks(names, last=last), feedback))
        read += [(block, terms) for block in blocks]
        found.append(
            detect(
                blocks,
                new_since=new_since,
                new_points=new_points,
                rate=terms.detector.rate,
                direction=terms.detector.direction,
                ignore_below=terms.ignore_below,
                exclude=terms.exclude,
                opinion=opinion,
                wall=terms.detector.wall,
            )
        )
    anomalies = [anomaly for part in found for anomaly in part.anomalies]
    seen = Seen([], [])
    if watch is not None and new_since is not None:
        seen = watch.look(
            read,
            anomalies,
            new_since=new_since,
            took=took,
            past=past,
            mark=lambda subject: _about(subject, feedback),
        )
    return Detection(
        anomalies=heard([*anomalies, *seen.anomalies], feedback),
        learning={key: words for part in found for key, words in part.learning.items()},
        judged=sum(part.judged for part in found),
        looks=tuple(seen.statements),
    )


def _about(subject: str, feedback: Sequence[Said]) -> tuple[int, ...]:
    """The numbers of what was said about a subject: a model learned without heeding it is of no use any more."""
    return tuple(said.number for said in feedback if said.subject in (EVERYTHING, subject))
