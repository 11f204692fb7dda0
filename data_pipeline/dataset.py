"""The values that travel down the line. All frozen; what a stage learns, it adds with `replace`."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal, NamedTuple

Origin = Literal["provider", "cache", "last_good", "snapshot", "none"]
Status = Literal["succeeded", "degraded", "failed", "skipped"]

UNPARSED = "__unparsed__"
"""Hidden text column: a JSON object of {column: text as sent} for cells that do not parse as their declared type.

It exists only in batches where at least one cell failed; `type` rules read it, storage never keeps it.
"""


@dataclass(frozen=True, slots=True)
class Payload:
    """One answer or file as sent. `open()` gives a fresh binary stream of it, transfer encoding already undone.

    Attributes:
        extra: Name and value of what its rows have in common and may not say themselves (`for_each`).
    """

    open: Callable[[], Any]
    size: int
    sha256: str
    name: str = ""
    media_type: str = ""
    charset: str = ""
    extra: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class FileSeen:
    """A file that was read to its end: how it is recognised when it lies there again. `modified`: epoch seconds."""

    path: str
    size: int
    modified: float
    sha256: str


@dataclass(frozen=True, slots=True)
class MadeFrom:
    """What a derived dataset was made of: the version of each input, and a hash of the code. Equal: equal rows."""

    inputs: tuple[tuple[str, str], ...]
    code: str

    def to_json(self) -> dict[str, Any]:
        return {"inputs": dict(self.inputs), "code": self.code}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "MadeFrom | None":
        """Of the event of a version or of a dataset run; None: it is not of a derived dataset."""
        return cls(tuple(found["inputs"].items()), found["code"]) if found.get("inputs") else None


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a batch came from and when.

    Attributes:
        collected_at: When the provider answered (for a 304: when it confirmed our copy). Aware UTC.
        content_sha256: Hash of what was sent; equal hashes are the same news.
        data_time: The moment the data itself speaks of, if it says one (`data_time` in the configuration).
        last_modified: What the provider said about its own copy; used for `data_time: last_modified`.
        latency_s: Seconds from the first request to the last byte.
        validators: ETag and Last-Modified to ask with next time.
        files: Files that were read to their end this time; they enter the ledger when the batch is accepted.
        origins: Name and rows of each of several files, in the order of the rows; (): one, or it is not known.
        pieces: Key and rows of each piece of a table in pieces, likewise.
        made_from: Of a derived dataset.
    """

    provider: str
    collected_at: datetime
    content_sha256: str = ""
    data_time: datetime | None = None
    last_modified: datetime | None = None
    attempts: int = 1
    latency_s: float = 0.0
    size: int = 0
    partial: bool = False
    unchanged: bool = False
    source: str = ""
    validators: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[FileSeen, ...] = ()
    origins: tuple[tuple[str, int], ...] = ()
    pieces: tuple[tuple[str, int], ...] = ()
    made_from: MadeFrom | None = None


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collector brings: payloads to be parsed, or rows that need no parsing, or neither (`not_modified`).

    `rows()` gives a fresh iterator of `pyarrow.RecordBatch` each time it is called.
    """

    provenance: Provenance
    payloads: tuple[Payload, ...] = ()
    rows: Callable[[], Iterator[Any]] | None = None
    not_modified: bool = False
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Cap:
    """The bound that a broken rule puts on a score: at most `at` points, because of `by`."""

    at: int
    by: str


class Evidence(NamedTuple):
    """What points are made of: 100 * numerator / denominator, before they are rounded and capped.

    Attributes:
        numerator: The sum over the rules of weight times share of judged rows that passed.
        denominator: The sum of their weights; 0.0 without evidence.
        rules: How many rules had something to judge.
    """

    numerator: float = 0.0
    denominator: float = 0.0
    rules: int = 0

    def to_json(self) -> dict[str, Any]:
        return {"numerator": self.numerator, "denominator": self.denominator, "rules": self.rules}


NO_EVIDENCE = Evidence()


class Coverage(NamedTuple):
    """Of how many columns of the batch at least one rule speaks."""

    with_rules: int
    columns: int


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a batch is, 0 to 100 points. `None` means not measured, never perfect.

    Attributes:
        evidence: What the uncapped score is made of.
        parts: The same for each dimension that has evidence.
        rules: How many rules there are, those that had nothing to judge included.
        coverage: None where it is not known: of batches that an earlier release judged.
    """

    score: float | None
    uncapped: float | None
    cap: Cap | None = None
    dimensions: dict[str, float | None] = field(default_factory=dict)
    evidence: Evidence = NO_EVIDENCE
    parts: dict[str, Evidence] = field(default_factory=dict)
    rules: int = 0
    coverage: Coverage | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "score": self.score,
            "uncapped": self.uncapped,
            "cap": {"at": self.cap.at, "by": self.cap.by} if self.cap else None,
            "dimensions": self.dimensions,
            "numerator": self.evidence.numerator,
            "denominator": self.evidence.denominator,
            "rules": self.rules,
            "coverage": self.coverage._asdict() if self.coverage else None,
            "parts": {name: part.to_json() for name, part in self.parts.items()},
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Quality":
        """What `to_json` wrote, also that of an earlier release, which told the points only."""
        parts = {name: Evidence(**part) for name, part in found.get("parts", {}).items()}
        judged = sum(part.rules for part in parts.values())
        return cls(
            score=found["score"],
            uncapped=found["uncapped"],
            cap=Cap(**found["cap"]) if found["cap"] else None,
            dimensions=found["dimensions"],
            evidence=Evidence(found.get("numerator", 0.0), found.get("denominator", 0.0), judged),
            parts=parts,
            rules=found.get("rules", 0),
            coverage=Coverage(**found["coverage"]) if found.get("coverage") else None,
        )


@dataclass(frozen=True, slots=True)
class FailedRule:
    """A rule that rows or the batch broke: `failed` of the `of` rows it judged."""

    rule: str
    severity: str
    failed: int
    of: int

    def to_json(self) -> dict[str, Any]:
        return {"rule": self.rule, "severity": self.severity, "failed": self.failed, "of": self.of}


@dataclass(frozen=True, slots=True)
class DatasetRun:
    """One dataset's part of a run: what was delivered, from where, how old, how good. Ages in seconds."""

    dataset: str
    provider: str
    status: Status
    origin: Origin
    accepted: bool = False
    partial: bool = False
    unchanged: bool = False
    rows: int = 0
    quarantined: int = 0
    collected_at: str | None = None
    age_s: float | None = None
    data_time: str | None = None
    data_age_s: float | None = None
    content_sha256: str | None = None
    version: str | None = None
    attempts: int = 0
    duration_s: float = 0.0
    quality: Quality | None = None
    failed_rules: tuple[FailedRule, ...] = ()
    anomalies: int = 0
    reason: str | None = None
    error: dict[str, Any] | None = None
    made_from: MadeFrom | None = None

    def to_json(self) -> dict[str, Any]:
        """The body of `run --json`, one dataset. `reason` says in words why it is not a plain success.

        Of a derived dataset also `inputs` (dataset and version) and `code`.
        """
        found = {
            "dataset": self.dataset,
            "provider": self.provider,
            "status": self.status,
            "origin": self.origin,
            "accepted": self.accepted,
            "partial": self.partial,
            "unchanged": self.unchanged,
            "rows": self.rows,
            "quarantined": self.quarantined,
            "collected_at": self.collected_at,
            "age_s": self.age_s,
            "data_time": self.data_time,
            "data_age_s": self.data_age_s,
            "content_sha256": self.content_sha256,
            "version": self.version,
            "attempts": self.attempts,
            "duration_s": self.duration_s,
            "quality": self.quality.to_json() if self.quality else None,
            "failed_rules": [rule.to_json() for rule in self.failed_rules],
            "anomalies": self.anomalies,
            "reason": self.reason,
            "error": self.error,
        }
        return found if self.made_from is None else {**found, **self.made_from.to_json()}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "DatasetRun":
        """What `to_json` wrote, and the event of a dataset run has."""
        told = {one.name: found[one.name] for one in fields(cls) if one.name in found}
        told["quality"] = Quality.from_json(found["quality"]) if found["quality"] else None
        told["failed_rules"] = tuple(FailedRule(**rule) for rule in found["failed_rules"])
        return cls(**told, made_from=MadeFrom.from_json(found))
