"""Bodies about runs, backfills and quarantined rows."""

from typing import Any, Literal

from pydantic import Field

from api.shapes.base import Attempt, RunStatus, Time, Told

__all__ = [
    "Backfill",
    "BackfillPlan",
    "Cancelled",
    "Dropped",
    "LogLines",
    "Planned",
    "Quarantine",
    "Queued",
    "Replays",
    "Run",
]

RUN_ID = "0198f2d2-5b0e-7c3a-9a52-8d1c7b0e4f11"


class Because(Told):
    """Why there is a run: somebody asked, a schedule, a backfill."""

    kind: Literal["asked", "schedule", "after", "on_file", "backfill"]


class Queued(Told):
    """A run that waits in the queue; somebody works it off."""

    run_id: str = Field(examples=[RUN_ID])
    status: Literal["queued"]
    datasets: list[str] = Field(examples=[["orders"]])


class PlannedDataset(Told):
    """What a run would do with a dataset."""

    dataset: str = Field(examples=["orders"])
    provider: str = Field(examples=["partner"])
    action: str = Field(examples=["ask the provider"])


class Planned(Told):
    """What a run would do; nothing was done."""

    dry_run: Literal[True]
    datasets: list[PlannedDataset]


class StoredRun(Told):
    """A run."""

    run_id: str = Field(examples=[RUN_ID])
    status: RunStatus = Field(examples=["succeeded"])
    actor: str = Field(examples=["token:robot"])
    priority: int
    because: Because
    queued_at: Time | None
    started_at: Time | None
    finished_at: Time | None
    duration_s: float | None = Field(examples=[1.23])
    counts: dict[str, int] = Field(description="How many of its datasets ended how.", examples=[{"succeeded": 1}])
    crashes: int = Field(description="How often its process died.")
    error: str | None


class ListedRun(StoredRun):
    """A run in a list."""

    datasets: list[str] = Field(examples=[["orders"]])


class Step(Told):
    """What did not go by itself in a dataset's turn; `at_s`: seconds after it began."""

    kind: Literal["rate_limit", "bulkhead", "failed", "pause"]
    at_s: float
    seconds: float
    words: str


class Part(Told):
    """What came of a dataset in a run; `status` is null while it has not ended.

    `steps`: waits for the provider's rate and places, attempts that failed, pauses; `left_out`: so many are not told.
    """

    dataset: str = Field(examples=["orders"])
    status: Literal["succeeded", "degraded", "failed", "skipped"] | None
    rows: int
    origin: Literal["provider", "cache", "last_good", "snapshot", "none"]
    reason: str | None
    hint: str | None
    provider: str | None
    attempts: int
    began_at: Time | None
    ended_at: Time | None
    duration_s: float | None
    steps: list[Step]
    left_out: int


class Run(StoredRun):
    """A run with what came of each of its datasets."""

    datasets: list[Part]
    partitions: list[str]
    cancelled_by: str | None
    cancelled_because: str | None


class LogLine(Told):
    """A line of a log file. `fields`: what stands beside the words, and `traceback`."""

    time: str
    level: str = Field(examples=["WARNING"])
    component: str = Field(examples=["pipeline"])
    event: str = Field(examples=["dataset.unexpected"])
    fields: dict[str, Any]


class LogLines(Told):
    """Lines of the log files; `kept`: whether any are written as JSON at all."""

    lines: list[LogLine]
    kept: bool
    more: bool


class Cancelled(Told):
    """A run that was called off, and what it was until then. One that was running stops within seconds."""

    run_id: str = Field(examples=[RUN_ID])
    status: Literal["cancelled"]
    was: RunStatus


class Backfill(Told):
    """Pieces of a table that are collected; `collected`, `held`, `failed`, `waiting`: so many of `total`."""

    backfill: str | None = Field(examples=[RUN_ID])
    dataset: str = Field(examples=["orders"])
    status: str = Field(examples=["running"])
    started_at: Time
    finished_at: Time | None
    total: int
    collected: int
    held: int
    failed: int
    waiting: int
    rows: int
    paused_until: Time | None
    reason: str
    actor: str = Field(examples=["token:robot"])
    partitions: list[dict[str, Any]]
    publications: list[Attempt]


class BackfillPlan(Told):
    """What a backfill would collect, and what it costs; nothing was done."""

    dry_run: Literal[True]
    dataset: str = Field(examples=["orders"])
    provider: str = Field(examples=["partner"])
    states: dict[str, int]
    only: list[str]
    concurrency: int
    requests: int
    duration_s: float | None
    per_piece_s: float | None
    notes: list[str]
    partitions: list[str] = Field(examples=[["2026-11-20"]])
    left_out: dict[str, list[str]]


class Quarantined(Told):
    """Rows of a run that broke a rule: `rows` are left, the others joined the dataset, or were given up."""

    dataset: str = Field(examples=["orders"])
    run_id: str = Field(examples=[RUN_ID])
    time: Time
    rows: int
    path: str
    state: Literal["waiting", "replayed", "dropped"]
    reasons: dict[str, int] = Field(examples=[{"not_null(mag)": 2}])
    replayed: int
    dropped: int


class Quarantine(Told):
    """What was set aside, newest first."""

    quarantine: list[Quarantined]


class Replay(Told):
    """What came of the rows of one run; `skipped`: why they were not looked at."""

    run_id: str = Field(examples=[RUN_ID])
    replayed: int
    accepted: int
    failing: int
    left: int
    reasons: dict[str, int] | None
    version: str | None
    missing: int
    skipped: str | None


class Replays(Told):
    """Rows that were put under the rules as they are now; those that pass joined the dataset."""

    dataset: str = Field(examples=["orders"])
    replayed: int
    accepted: int
    failing: int
    replays: list[Replay]
    publications: list[Attempt]


class DroppedOfRun(Told):
    """How many rows of a run were given up, and how many still wait."""

    run_id: str = Field(examples=[RUN_ID])
    dropped: int
    left: int


class Dropped(Told):
    """Rows that were given up for good."""

    dataset: str = Field(examples=["orders"])
    dropped: int
    runs: list[DroppedOfRun]
