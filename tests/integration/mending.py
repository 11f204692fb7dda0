"""A stock whose prices break a rule, and ways to mend them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from operations.actor import Actor
from operations.export import Format, write_rows
from operations.quarantine import rows
from operations.replay import Replays, replay
from tests.integration.feed import Row
from tests.integration.installation import Installation

ACTOR = Actor("ada")
GOOD = (3, 4, 5, 6, 7, 8, 9, 10)
POSITIVE: dict[str, Any] = {"range": {"column": "price", "min": 0}}
ANY: dict[str, Any] = {"range": {"column": "price", "min": -100}}

Fetch = "tests.integration.feed:everything"


def stock(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "name": "stock",
        "collect": {"kind": "python", "function": Fetch},
        "rules": list(rules or (POSITIVE,)),
        **more,
    }


def prices(*found: Any, start: int = 1) -> list[Row]:
    return [{"id": number, "price": price} for number, price in enumerate(found, start=start)]


def shelf(installation: Installation) -> list[tuple[int, Any]]:
    return [(row["id"], row["price"]) for row in installation.rows("stock")]


def again(installation: Installation, *arguments: Any, **how: Any) -> Replays:
    with installation.system() as system:
        return replay(system, ACTOR, "stock", *arguments, **how)


def counts(found: Replays) -> list[tuple[int, int, int]]:
    return [(one.replayed, one.accepted, one.left) for one in found.replays]


def export(installation: Installation, suffix: Format) -> Path:
    """What `quarantine show --output` writes."""
    path = installation.folder / f"rows.{suffix}"
    with installation.system() as system, path.open("wb") as file:
        found = rows(system, "stock")
        write_rows(found.schema, found.batches(), suffix, file)
    return path


def mend(installation: Installation, suffix: Format, change: Callable[[str], str]) -> Path:
    path = export(installation, suffix)
    path.write_text(change(path.read_text()))
    return path
