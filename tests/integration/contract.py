"""The shape of `run --json`, field by field: what programs may rely on."""

import re
from datetime import datetime
from typing import Any

NUMBER = (int, float)
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")

RUN: dict[str, Any] = {
    "run_id": str,
    "status": {"succeeded", "degraded", "failed"},
    "started_at": "moment",
    "finished_at": "moment",
    "duration_s": NUMBER,
    "datasets": list,
    "publications": list,
}
DATASET: dict[str, Any] = {
    "dataset": str,
    "provider": str,
    "status": {"succeeded", "degraded", "failed", "skipped"},
    "origin": {"provider", "cache", "last_good", "snapshot", "none"},
    "accepted": bool,
    "partial": bool,
    "unchanged": bool,
    "rows": int,
    "quarantined": int,
    "collected_at": ("moment", None),
    "age_s": (*NUMBER, None),
    "data_time": ("moment", None),
    "data_age_s": (*NUMBER, None),
    "content_sha256": (str, None),
    "attempts": int,
    "duration_s": NUMBER,
    "quality": (dict, None),
    "failed_rules": list,
    "anomalies": int,
    "error": (dict, None),
}
ADDED = {"version": (str, None), "reason": (str, None)}
"""Fields beyond the contract: which version readers get, and why it is not a plain success, in words."""

QUALITY: dict[str, Any] = {
    "score": (*NUMBER, None),
    "uncapped": (*NUMBER, None),
    "cap": (dict, None),
    "dimensions": dict,
}
MADE_OF: dict[str, Any] = {
    "numerator": NUMBER,
    "denominator": NUMBER,
    "rules": int,
    "coverage": (dict, None),
    "parts": dict,
}
"""Fields beyond the contract: what the score is made of."""

CAP: dict[str, Any] = {"at": int, "by": str}
FAILED_RULE: dict[str, Any] = {"rule": str, "severity": {"warning", "error", "critical"}, "failed": int, "of": int}
ERROR: dict[str, Any] = {"type": str, "message": str, "hint": str, "transient": bool}
REFUSED_BY = {"circuit", "limit", "quota", "bulkhead", "deadline"}
"""Fields that an error may have beside these: `refused_by`, and `retry_after` in seconds."""


def check_run(told: Any) -> None:
    """Fail unless it is a run, exactly: no field more, none less, each of its type."""
    _check(told, RUN, "run")
    for dataset in told["datasets"]:
        where = dataset.get("dataset", "?")
        _check(dataset, {**DATASET, **ADDED}, where)
        if dataset["quality"] is not None:
            _check(dataset["quality"], QUALITY | MADE_OF, f"{where}.quality")
            assert all(value is None or 0 <= value <= 100 for value in dataset["quality"]["dimensions"].values())
            if dataset["quality"]["cap"] is not None:
                _check(dataset["quality"]["cap"], CAP, f"{where}.quality.cap")
        for rule in dataset["failed_rules"]:
            _check(rule, FAILED_RULE, f"{where}.failed_rules")
        if dataset["error"] is not None:
            check_error(dataset["error"])


def check_error(told: Any) -> None:
    """Fail unless it is an error as programs are told of it."""
    told = dict(told)
    after, by = told.pop("retry_after", 0.0), told.pop("refused_by", "circuit")
    assert isinstance(after, float)
    assert after >= 0.0
    assert by in REFUSED_BY
    _check(told, ERROR, "error")
    assert told["message"]


def _check(value: dict[str, Any], shape: dict[str, Any], where: str) -> None:
    assert set(value) == set(shape), f"{where}: {set(value) ^ set(shape)}"
    for name, allowed in shape.items():
        choices = allowed if isinstance(allowed, tuple | set) else (allowed,)
        assert any(_is(value[name], choice) for choice in choices), f"{where}.{name}: {value[name]!r}"


def _is(value: Any, choice: Any) -> bool:
    if choice is None:
        return value is None
    if choice == "moment":
        return isinstance(value, str) and bool(MOMENT.fullmatch(value)) and bool(datetime.fromisoformat(value))
    if isinstance(choice, str):
        return bool(value == choice)
    # To Python true is a number; to programs that read JSON it is not.
    return isinstance(value, choice) and (choice is bool or not isinstance(value, bool))
