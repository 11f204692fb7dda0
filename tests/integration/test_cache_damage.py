"""A cache that is damaged or gone costs a request, never the last good copy."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from operations.metrics import as_json
from tests.faulty_server import FaultyServer, status
from tests.integration.installation import Installation
from tests.integration.people import GOOD, GOOD_ROWS, people


def overwrite_all(cache: Path) -> None:
    for file in cache.rglob("*"):
        if file.is_file():
            file.write_bytes(b"\xff" * file.stat().st_size)


def halve_all(cache: Path) -> None:
    for file in cache.rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize("damage", [shutil.rmtree, overwrite_all, halve_all], ids=["deleted", "overwritten", "halved"])
def test_last_good_survives_whatever_happens_to_the_cache(
    installation: Installation, server: FaultyServer, damage: Callable[[Path], None]
) -> None:
    """The provider is down and the cache is ruined: the version that readers saw is served, and the next run works."""
    installation.configure(people(server.url))
    good = installation.run_one()
    damage(installation.state / "cache")
    server.answer = status(503)

    fallback = installation.run_one()
    server.answer = GOOD
    back = installation.run_one()
    again = installation.run_one()

    assert (fallback.status, fallback.origin, fallback.version) == ("degraded", "last_good", good.version)
    assert fallback.rows == GOOD_ROWS
    assert [back.origin, again.origin] == ["provider", "cache"]


def test_the_metrics_say_what_the_cache_holds(installation: Installation, server: FaultyServer) -> None:
    """Values and bytes; none of a cache that is gone, and looking does not make one."""
    installation.configure(people(server.url))
    installation.run_one()
    with installation.system() as system:
        held = as_json(system)
    shutil.rmtree(installation.state / "cache")
    with installation.system() as system:
        gone = as_json(system)

    values = [told["orchestrator_cache_entries"]["series"][0]["value"] for told in (held, gone)]
    assert values[0] >= 1
    assert values[1] == 0
    assert held["orchestrator_cache_bytes"]["series"][0]["value"] > 0
    assert not (installation.state / "cache").exists()
