"""The contract of every detector, and the values that go in and come out."""

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from data_pipeline.detect.robust import Floats

Severity = Literal["warning", "critical"]
Direction = Literal["up", "down"]
Directions = Literal["up", "down", "both"]

ALARM = 0.5  # a score of this much is an anomaly; a detector's own limit is what it maps there
CRITICAL = 2.0 / 3.0  # and twice as far out as the limit


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One metric of one subject over time.

    Attributes:
        times: Epoch seconds, float64, shape (n,); any order, duplicates and gaps allowed.
        values: float64, shape (n,); NaN and infinities are points without a value.
        labels: What else tells this series from others of the same name; not interpreted.
    """

    metric: str
    subject: str
    times: Floats
    values: Floats
    labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.times.ndim != 1 or self.times.shape != self.values.shape:
            raise ValueError(
                f"{self.subject}: metric {self.metric}: times {self.times.shape} and values {self.values.shape} "
                "must be two one-dimensional arrays of the same length"
            )


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A point that its own past makes unlikely.

    Attributes:
        time: Of the point, epoch seconds.
        score: 0..1, higher is stranger; `ALARM` and more.
        expected_low, expected_high: The band outside which a point is an anomaly, in units of the value;
            infinite on the side that is never wrong (a lower latency).
        reason: In words, ready for a person.
        since: Time of the first point of the episode; the same for all points of one.
        agree: Names of the algorithms of the ensemble that find it strange, too; empty when they were not asked.
    """

    metric: str
    subject: str
    time: float
    value: float
    score: float
    severity: Severity
    direction: Direction
    expected_low: float
    expected_high: float
    reason: str
    since: float
    agree: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {**{name: getattr(self, name) for name in self.__slots__}, "agree": list(self.agree)}


class Model(Protocol):
    """What a detector learned from one history."""

    def score(self, points: Series) -> Floats:
        """Strangeness of each point, 0..1, NaN where there is nothing to judge; from the past only.

        A point is judged by the history and the points before it, never by itself or later ones.
        """
        ...

    def state(self) -> dict[str, Any]:
        """Everything the model knows, as JSON can hold it."""
        ...


class Detector(Protocol):
    """An algorithm; holds settings only."""

    def fit(self, history: Series) -> Model:
        """Learn what is usual; a history may be empty, short, constant or full of gaps."""
        ...
