"""The configuration of a world's installation."""

from typing import Any

from tests.chaos.world.script import Script, Table

__all__ = ["CHANNEL", "RULES", "configured"]

RULES = [
    {"not_null": ["id"]},
    {"unique": "id"},
    {"range": {"column": "v", "min": 0}},
    {"not_in_future": "day"},
]
TYPES = {"id": "integer", "v": "integer", "day": "timestamp", "content": "integer"}
CHANNEL = "team"


def configured(script: Script, host: str, *, every: str = "", **sections: Any) -> dict[str, Any]:
    """The whole file.

    Args:
        host: Of the server that plays all providers and the receiver of alerts.
        every: How often the first dataset is due by itself.
        sections: Over what is here.
    """
    datasets = [_dataset(table, host) for table in script.tables]
    if every:
        datasets[0]["schedule"] = {"every": every}
    return {
        "cache": {"ttl": script.cache_ttl},
        "defaults": {"dataset": {"retry": {"attempts": 2, "initial": "10ms", "max": "20ms"}}},
        "alerts": {"channels": {CHANNEL: f"json://{host}/alerts?rto=60&cto=60"}},
        "datasets": datasets,
        **sections,
    }


def _dataset(table: Table, host: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": table.name,
        "provider": table.provider,
        "collect": {"kind": "http", "url": f"http://{host}/{table.name}"},
        "parse": {"format": table.format},
        "columns": TYPES,
        "data_time": "day",
        "rules": RULES,
        "write": table.write,
    }
    if table.write == "merge":
        found["key"] = ["id"]
    if table.max_age is not None:
        found["promise"] = {"max_age": f"{table.max_age:.0f}s"}
    return found
