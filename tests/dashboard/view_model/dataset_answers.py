"""What the API answers about a dataset, as the tests of its page want it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from dashboard.language import Words
from dashboard.source import Answer
from operations.trouble import Trouble

WORDS = Words()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
WRONG = Answer(None, Trouble("the database is away", "start it"), None)


def answered(document: Any) -> Answer:
    return Answer(document, None, NOW)


def hours_ago(hours: float) -> str:
    return (NOW - timedelta(hours=hours)).isoformat().replace("+00:00", "Z")


def a_status(**more: Any) -> dict[str, Any]:
    return {
        "dataset": "orders",
        "provider": "partner",
        "status": "succeeded",
        "origin": "provider",
        "rows": 1200,
        "quarantined": 0,
        "age_s": 3.0,
        "data_age_s": None,
        "score": 97.4,
        "reason": None,
        "promise": None,
        **more,
    }


def a_version(name: str, hours: float, state: str = "accepted", **more: Any) -> dict[str, Any]:
    return {
        "version": name,
        "state": state,
        "current": False,
        "time": hours_ago(hours),
        "rows": 5,
        "size": 1500,
        "score": 90.0,
        "reason": "",
        "actor": None,
        "decided_at": None,
        "why": "",
        "restores": None,
        **more,
    }
