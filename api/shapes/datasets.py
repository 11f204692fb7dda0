"""Bodies about datasets."""

from typing import Any, Literal

from pydantic import Field

from api.shapes.base import Action, Attempt, Share, Time, Told

__all__ = [
    "Column",
    "Dataset",
    "DatasetReport",
    "DatasetRun",
    "Datasets",
    "Decided",
    "Difference",
    "Profile",
    "QualityHistory",
    "RawKept",
    "Reasons",
]


class Judged(Told):
    """How a promise or an objective stands."""

    state: str = Field(examples=["kept"])


class Dataset(Told):
    """Where a dataset stands now. Ages in seconds; `held`: the version that waits to be accepted or rejected."""

    dataset: str = Field(examples=["orders"])
    provider: str = Field(examples=["partner"])
    status: Literal["succeeded", "degraded", "failed", "skipped", "never ran"] = Field(examples=["succeeded"])
    origin: Literal["provider", "cache", "last_good", "snapshot", "none"] = Field(examples=["provider"])
    rows: int = Field(examples=[243])
    quarantined: int = Field(examples=[2])
    collected_at: Time | None
    age_s: float | None = Field(examples=[61.5])
    data_time: Time | None
    data_age_s: float | None = Field(examples=[610.0])
    score: float | None = Field(ge=0.0, le=100.0, examples=[97.4])
    ran_at: Time | None
    failures: int = Field(description="In a row.", examples=[0])
    reason: str | None
    objective: Judged | None
    held: str | None
    promise: Judged | None
    blocked: str | None = Field(description="Which dataset that it depends on keeps it from running, and why.")


class Datasets(Told):
    """All that are declared, worst first; the first sentence of `status`."""

    sentence: str = Field(examples=["The one dataset delivered as it should."])
    datasets: list[Dataset]


class Change(Told):
    """What is not as it was."""

    about: str = Field(examples=["schema"])
    words: str
    since: Time | None


class Reasons(Told):
    """Why a dataset is as it is, what changed since it was well, and what to do."""

    dataset: str = Field(examples=["orders"])
    status: str
    sentence: str
    well: bool
    last_good: dict[str, Any] | None
    last_run: dict[str, Any] | None
    since: dict[str, Any] | None
    changes: list[Change]
    held: dict[str, Any] | None
    blocked: list[dict[str, str]]
    quarantine: dict[str, Any] | None
    advice: list[dict[str, Any]]
    next_try: dict[str, Any]
    objective: Judged | None
    commands: list[Action]


class Decided(Told):
    """What a decision about a version did; `before` and `current`: what readers saw, and see now."""

    dataset: str = Field(examples=["orders"])
    decision: Literal["accepted", "rejected", "rolled_back"]
    version: str
    before: str | None
    current: str | None
    rows: int
    actor: str = Field(examples=["token:robot"])
    reason: str
    over: str = Field(description="Why the gate had held it.")
    restores: str | None
    withdrawn: list[str]
    publications: list[Attempt]


class Quality(Told):
    """A score of 0..100 points, and its parts."""

    score: float | None = Field(ge=0.0, le=100.0, examples=[97.4])


class RuleReport(Told):
    """A rule and what came of it."""

    rule: str = Field(examples=["not_null(mag)"])
    kind: str = Field(examples=["not_null"])
    columns: list[str]
    severity: Literal["warning", "error", "critical"]
    dimension: str
    failed: int
    of: int
    tolerance: float
    passed: bool
    detail: str
    share: Share


class DatasetReport(Told):
    """The quality of the batch that came last: its score, each rule, rows that broke one, what changed, advice."""

    dataset: str = Field(examples=["orders"])
    description: str
    owner: str
    runbook: str
    run: dict[str, Any]
    version: str | None
    state: str | None
    quality: Quality | None
    rules: list[RuleReport]
    samples: dict[str, Any] | None
    figures: dict[str, float | None] | None
    profile: list[dict[str, Any]]
    advice: list[dict[str, Any]]
    anomalies: list[dict[str, Any]]
    before: dict[str, Any] | None
    changes: list[Change]
    provenance: dict[str, Any] | None
    objective: Judged | None


class Column(Told):
    """One column; what its type does not have is left out. Decimals are text, digit for digit."""

    column: str = Field(examples=["mag"])
    type: str = Field(examples=["double"])
    nulls: int
    null_share: Share | None


class Profile(Told):
    """What the table that readers get looks like."""

    dataset: str = Field(examples=["orders"])
    collected_at: Time
    rows: int
    nulls: Share | None = Field(description="Share of empty cells.")
    data_age_s: float | None
    columns: list[Column]
    notes: list[str]


class DatasetRun(Told):
    """What came of a dataset in a run. Ages in seconds, as they were then."""

    dataset: str = Field(examples=["orders"])
    run_id: str
    time: Time
    provider: str = Field(examples=["partner"])
    status: Literal["succeeded", "degraded", "failed", "skipped"] = Field(examples=["succeeded"])
    origin: Literal["provider", "cache", "last_good", "snapshot", "none"] = Field(examples=["provider"])
    accepted: bool
    partial: bool
    unchanged: bool
    rows: int = Field(examples=[243])
    quarantined: int
    version: str | None
    attempts: int
    duration_s: float
    quality: Quality | None
    failed_rules: list[dict[str, Any]]
    anomalies: int
    reason: str | None
    error: dict[str, Any] | None


class Scored(Told):
    """The score of a batch and its parts, 0..100; `cap`: the rule that held it down; `accepted`: by the gate."""

    time: Time
    run_id: str
    accepted: bool
    score: float = Field(ge=0.0, le=100.0)
    cap: str | None
    dimensions: dict[str, float | None]


class QualityHistory(Told):
    """Scores, oldest first; `cut`: there were more, these are the last."""

    dataset: str = Field(examples=["orders"])
    points: list[Scored]
    cut: bool


class Capture(Told):
    """A run whose raw answers are kept; `size` in bytes."""

    run_id: str
    collected_at: Time
    size: int


class RawKept(Told):
    """Newest first. `keeps`: for how long they are kept; "": none are, from now on."""

    dataset: str = Field(examples=["orders"])
    keeps: str = Field(examples=["7 d"])
    runs: list[Capture]


class Compared(Told):
    """A version; `rows` of the table, `batch_rows` of the batch that it came with."""

    version: str
    state: Literal["accepted", "damaged", "held", "rejected", "rolled_back"]
    time: Time
    rows: int
    batch_rows: int
    score: float | None


class OtherColumn(Told):
    """A column that is new (`before` null), gone (`after` null), or of another type."""

    column: str = Field(examples=["mag"])
    before: str | None
    after: str | None


class Moved(Told):
    """A figure of a column that moved."""

    column: str = Field(examples=["mag"])
    figure: str = Field(examples=["mean"])
    before: float
    after: float


class OtherRows(Told):
    """How many rows differ, and some of them; null: they were not compared, and `note` says why."""

    key: list[str] = Field(description="What rows were matched by; none: whole rows, so none is `changed`.")
    added: int | None
    removed: int | None
    changed: int | None
    same: int | None
    samples: dict[str, list[dict[str, Any]]]
    note: str


class Difference(Told):
    """What differs between two versions."""

    dataset: str = Field(examples=["orders"])
    before: Compared
    after: Compared
    changes: list[Change]
    columns: list[OtherColumn]
    figures: list[Moved]
    rows: OtherRows
