"""A function of the user's own as a source, by configuration, through the whole line."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.installation import Installation

SOURCE = """
import datetime as d, time

def orders(cursor=None, country="TR"):
    print("asking for", country, "since", cursor)
    for n in range(1, 6):
        yield {"id": n, "country": country, "at": d.datetime(2026, 1, n, tzinfo=d.UTC), "customer": {"name": f"c{n}"}}

def broken():
    yield {"id": 1}
    raise ValueError("page 2 has no items")

def slow():
    while True:
        yield [{"id": 1}]
        time.sleep(0.05)

def many(count):
    for n in range(count):
        yield {"id": n, "name": f"n{n}", "value": n * 0.5, "flag": n % 2 == 0, "day": "2026-01-01",
               "city": "Ankara", "kind": n % 7, "share": 1.25}
"""


def dataset(function: str, **more: Any) -> dict[str, Any]:
    collect = {"kind": "python", "function": f"users_source:{function}", **more.pop("collect", {})}
    return {"name": function, "collect": collect, **more}


@pytest.fixture
def code(tmp_path: Path) -> Iterator[str]:
    """A folder of the user's own; what was imported of it is forgotten, for the next test has another one."""
    folder = tmp_path / "my"
    folder.mkdir()
    (folder / "users_source.py").write_text(SOURCE)
    yield str(folder)
    sys.modules.pop("users_source", None)
    sys.path[:] = [path for path in sys.path if path != str(folder)]


def test_a_function_is_a_dataset(installation: Installation, code: str) -> None:
    """What it prints does not spoil `--json`; its provider is its module; equal rows are unchanged the second time."""
    rules = [{"unique": "id"}, {"not_null": ["customer.name"]}]
    orders = dataset("orders", collect={"params": {"country": "DE"}}, data_time="at", rules=rules)
    installation.configure(orders, code=[code])

    first, second = (installation.cli("run", "--fresh", "--json") for _ in range(2))
    (done,) = first.json["datasets"]
    assert (done["status"], done["rows"], done["provider"]) == ("succeeded", 5, "users_source")
    assert done["data_time"].startswith("2026-01-05T00:00:00")
    assert "asking for DE since None" in first.err
    assert second.json["datasets"][0]["unchanged"]


def test_what_came_before_a_failure_is_partial(installation: Installation, code: str) -> None:
    """There is nothing whole to serve, so the part is delivered, degraded, with the place of the failure."""
    installation.configure(dataset("broken"), code=[code])
    done = installation.run_one()
    assert (done.status, done.partial, done.rows) == ("degraded", True, 1)
    assert "ValueError: page 2 has no items" in str(done.reason)
    assert "users_source.py:11" in str(done.reason)


def test_a_missing_function_is_a_fault_of_the_configuration(installation: Installation, code: str) -> None:
    """Told by `config check`, with file, key, and what is there."""
    installation.configure(dataset("order"), code=[code])
    done = installation.cli("config", "check")
    assert done.code == 2
    assert "has no `order`; did you mean `orders`?" in done.err
    assert "collect.function" in done.err


def test_an_endless_function_ends_at_the_deadline(installation: Installation, code: str) -> None:
    """What it gave until then is kept."""
    installation.configure(dataset("slow", resilience={"deadline": "3s"}), code=[code])
    done = installation.run_one()
    assert (done.status, done.partial) == ("degraded", True)
    assert "deadline of 3 s is over" in str(done.reason)


def test_a_function_is_tried_without_storing(installation: Installation, code: str) -> None:
    """An incremental dataset is asked from its beginning, whatever was stored."""
    incremental = {"cursor": "at", "initial": "2025-01-01"}
    installation.configure(dataset("orders", key=["id"], incremental=incremental), code=[code])
    assert installation.run_one().rows == 5
    tried = installation.cli("try", "orders", "--json")
    assert (tried.code, tried.json["rows"], tried.json["accepted"]) == (0, 5, True)
    assert "since 2025-01-01" in tried.err
    assert len(installation.events("batch.accepted")) == 1


@pytest.mark.prove
def test_a_million_rows_from_a_generator(installation: Installation, code: str) -> None:
    """All of them through the whole line, in less memory than the rows take as dicts (the speed: benchmarks/)."""
    many = dataset("many", collect={"params": {"count": 1_000_000}}, resilience={"deadline": "2m"})
    installation.configure(many, code=[code])
    done = installation.cli("run", "--json", measured=True)
    (found,) = done.json["datasets"]
    assert found["rows"] == 1_000_000
    assert done.peak < 500 * 2**20
