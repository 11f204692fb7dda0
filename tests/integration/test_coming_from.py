"""docs/coming-from.md: the configuration delivers what the script delivered; both are taken from the page."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.alerting import after_run
from operations.run import run
from tests.faulty_server import Answer, FaultyServer, Request, as_json, ok, status
from tests.markdown import DOCS, ROOT, fenced
from utils.arrow import pa

PAGE = DOCS / "coming-from.md"
STATES = ("open", "paid", "cancelled")
ORDERS: list[dict[str, Any]] = [
    {"id": n, "ordered_at": f"2026-11-20T08:{n:02}:00Z", "amount": 10.0 + n, "state": STATES[n % 3]}
    for n in range(1, 41)
]
ORDERS[4]["amount"] = -5.0
ORDERS[10]["id"] = 10
ORDERS[20]["state"] = "lost"
GOOD = [order["id"] for order in ORDERS if order["amount"] > 0 and order["id"] != 10 and order["state"] != "lost"]


class Shop:
    """Two pages of orders for whoever shows the token; the second one fails once; notes what Slack is told."""

    def __init__(self) -> None:
        self.failures = 1
        self.told: list[bytes] = []

    def __call__(self, request: Request) -> Answer:
        if request.method == "POST":
            self.told.append(request.body)
            return ok(b"ok", "text/plain")
        if request.headers.get("authorization") != "Bearer s3cr3t-t0ken":
            return status(401)
        page = int(request.query["page"])
        if page == 2 and self.failures:
            self.failures -= 1
            return status(503)
        return as_json({"data": ORDERS[20 * (page - 1) : 20 * page]})


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def server(shop: Shop) -> Iterator[FaultyServer]:
    with FaultyServer(shop) as server:
        yield server


def ids(path: Path) -> list[int]:
    import pyarrow.parquet

    table: pa.Table = pyarrow.parquet.read_table(path)
    return sorted(table.column("id").to_pylist())


def test_after_delivers_the_good_rows_and_keeps_the_bad_ones(shop: Shop, server: FaultyServer, tmp_path: Path) -> None:
    """The file has the good rows only; the four bad ones wait in quarantine with their reasons; Slack is told once."""
    (block,) = fenced(PAGE, "yaml")
    config = tmp_path / "orchestrator.yaml"
    config.write_text(block)
    variables = {
        "ORDERS_URL": f"http://{server.host}",
        "ORDERS_TOKEN": "s3cr3t-t0ken",
        "SLACK_WEBHOOK": f"json://{server.host}/slack",
    }

    with IntegratedSystem(config, state_dir=tmp_path / "state", environ=variables) as system:
        (orders,) = run(system, Actor("cron")).datasets
        after_run(system)
        (set_aside,) = system.events.read(type="rows.quarantined")

    assert (orders.status, orders.rows, orders.quarantined) == ("succeeded", len(GOOD), 4)
    assert set_aside.data["reasons"] == {"unique(id)": 2, "range(amount)": 1, "one_of(state)": 1}
    assert ids(tmp_path / "out" / "orders.parquet") == GOOD
    assert len(shop.told) == 1


@pytest.mark.prove
def test_before_delivered_the_same_rows(shop: Shop, server: FaultyServer, tmp_path: Path) -> None:
    """The script of the page, with the real libraries, in the environment that the benchmarks have of them."""
    (script,) = fenced(PAGE, "py")
    (tmp_path / "collect_orders.py").write_text(script)
    variables = {
        **os.environ,
        "ORDERS_URL": f"http://{server.host}",
        "ORDERS_TOKEN": "s3cr3t-t0ken",
        "SLACK_WEBHOOK": f"http://{server.host}/slack",
        "GX_ANALYTICS_ENABLED": "false",
    }

    subprocess.run([_interpreter(), "collect_orders.py"], cwd=tmp_path, env=variables, check=True, timeout=120)

    assert ids(tmp_path / "out" / "orders.parquet") == GOOD
    assert shop.told == [b'{"text": "orders: 4 bad rows were left out"}']


def _interpreter() -> Path:
    """That of the environment with Great Expectations, made as `make bench` does when it is not there."""
    found = ROOT / ".peers" / "quality" / "bin" / "python"
    if not found.exists():
        subprocess.run([sys.executable, "-m", "venv", str(found.parents[1])], check=True)
        pins = ROOT / "benchmarks" / "peers" / "quality.txt"
        subprocess.run([str(found), "-m", "pip", "install", "--quiet", "-r", str(pins)], check=True)
    return found
