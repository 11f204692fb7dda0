"""What a dataset says of its anomalies (`detect`) holds through whole runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.installation import Installation

DAYS = 16
USUAL, FEW, MANY = 20, 2, 200


def told(tmp_path: Path, last: int, **detect: Any) -> bool:
    """Whether the rows of a last run stick out that brought so many, after two weeks of some twenty each."""
    shop = Installation(tmp_path)
    shop.folder.mkdir(exist_ok=True)
    orders = {"name": "orders", "collect": {"kind": "file", "path": "orders.json", "reread": "always"}}
    shop.configure({**orders, "detect": detect})
    for count in (*(USUAL + day % 3 for day in range(DAYS)), last):
        (shop.folder / "orders.json").write_text(json.dumps([{"amount": 5 + row % 7} for row in range(count)]))
        found = shop.run(fresh=True)
    # How long a busy machine took may stick out in any of them, and says nothing here.
    return any(
        event["run_id"] == found.run_id and event["metric"] == "rows" for event in shop.events("anomaly.detected")
    )


@pytest.mark.parametrize(
    ("last", "detect", "sticks_out"),
    [
        (FEW, {}, True),
        (FEW, {"direction": "up"}, False),
        (MANY, {"direction": "up"}, True),
        (MANY, {"direction": "down"}, False),
        (FEW, {"exclude": ["rows"]}, False),
        (MANY, {"ignore_below": 1000}, False),
        (FEW, {"enabled": False}, False),
    ],
    ids=["as shipped", "only up", "up it is", "only down", "left out", "too small to matter", "switched off"],
)
def test_what_a_dataset_says_decides_what_is_told(
    tmp_path: Path, last: int, detect: dict[str, Any], sticks_out: bool
) -> None:
    """Of a tenth of the rows, or of ten times as many."""
    assert told(tmp_path, last, **detect) is sticks_out


def test_a_higher_rate_tells_more(tmp_path: Path) -> None:
    """Eight rows more than ever are within chance for the cautious, and not for who wants to hear of everything."""
    assert not told(tmp_path / "cautious", USUAL + 8, rate=0.001)
    assert told(tmp_path / "eager", USUAL + 8, rate=200)
