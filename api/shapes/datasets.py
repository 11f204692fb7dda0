"""Bodies about datasets."""

from typing import Any, Literal

from pydantic import Field

from api.shapes.base import Action, Attempt, Share, Time, Told

__all__ = ["Column", "Dataset", "DatasetReport", "Datasets", "Decided", "Profile", "Reasons"]


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
