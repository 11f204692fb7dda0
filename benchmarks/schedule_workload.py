"""What the schedule benchmark works on: many realistic datasets, and ten thousand different cron lines."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC")
PROVIDERS = 50


def cron_lines(number: int) -> Iterator[tuple[str, str]]:
    """Different lines with fixed hours, each with its zone."""
    for index in range(number):
        line = f"{index % 60} {index // 60 % 24} * * {index // 1440 % 7}"
        yield line, ZONES[index % len(ZONES)]


def declared(index: int) -> dict[str, Any]:
    """A dataset as people write them: columns, rules, a promise, a schedule; every second one depends on another."""
    schedules: tuple[dict[str, Any], ...] = (
        {"cron": f"{index % 60} {index % 24} * * *", "zone": ZONES[index % len(ZONES)]},
        {"every": "15m", "jitter": "30s"},
        {"every": "10m", "from": "16:00", "until": "18:00", "zone": ZONES[index % len(ZONES)]},
        {"every": f"{1 + index % 24}h"},
    )
    dataset: dict[str, Any] = {
        "name": f"dataset_{index:05d}",
        "description": f"What partner {index % PROVIDERS} sends of table {index}",
        "owner": f"team-{index % 12}@example.org",
        "tags": [f"team{index % 12}", "daily" if index % 2 else "hourly"],
        "priority": index % 5,
        "collect": {
            "kind": "http",
            "url": f"https://api{index % PROVIDERS}.example.org/v1/tables/{index}.json",
            "params": {"since": "2024-01-01"},
            "headers": {"accept": "application/json"},
        },
        "parse": {"format": "json", "records": "data.rows"},
        "columns": {
            "id": "integer",
            "name": "string",
            "amount": "decimal",
            f"field_{index}": "float",
            "at": {"from": "created_at", "type": "timestamp"},
        },
        "key": ["id"],
        "data_time": "at",
        "promise": {"max_age": "26h"},
        "rules": [
            {"not_null": ["id", "amount"]},
            {"unique": "id"},
            {"range": {"column": "amount", "min": 0, "max": 1_000_000 + index}},
            {"one_of": {"column": "name", "values": ["a", "b", "c"]}, "severity": "warning"},
        ],
        "schedule": schedules[index % 4 if index % 7 else 0],
    }
    if index % 2 and index > 1:
        dataset["depends_on"] = [f"dataset_{index - 1:05d}"]
    return dataset


def configuration(folder: Path, datasets: int, suffix: str) -> Path:
    """So many of them in one file, `json` or `yaml`."""
    data = {"app": {"zone": "Europe/Berlin"}, "datasets": [declared(index) for index in range(datasets)]}
    path = folder / f"large{datasets}.{suffix}"
    with path.open("w") as file:
        if suffix == "json":
            json.dump(data, file, indent=1)
        else:
            yaml.dump(data, file, Dumper=_Plain, sort_keys=False, width=120)
    return path


def scheduled(folder: Path, datasets: int, **sections: Any) -> Path:
    """Simulated datasets of one row, due at minutes of their own, every hour."""
    made = [
        {
            "name": f"noop_{index:05d}",
            "provider": "bench",
            "collect": {"kind": "simulated", "rows": 1},
            "schedule": {"cron": f"{index % 60} * * * *"},
            "promise": {"max_age": "3h"},
        }
        for index in range(datasets)
    ]
    path = folder / f"scheduled{datasets}.json"
    path.write_text(json.dumps({**sections, "datasets": made}))
    return path


class _Plain(yaml.CSafeDumper):
    """Writes the same thing twice where it stands twice, as people do."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
