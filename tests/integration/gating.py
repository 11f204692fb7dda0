"""A dataset with a batch that is held, and what people do about it."""

from typing import Any

from operations.actor import Actor
from operations.gate import Decided
from operations.status import DatasetStatus, status
from operations.versions import versions
from tests.faulty_server import Answering, FaultyServer
from tests.integration.installation import Installation
from tests.integration.people import GOOD, csv, people

HEADER = b"id,name,day\n"
AT_MOST_5: dict[str, Any] = {"rules": [{"range": {"column": "id", "max": 5, "severity": "critical"}}]}
DOUBTED = csv(HEADER + b"4,dora,2026-01-02\n5,emil,2026-01-02\n9,fred,2026-01-02\n")
"""Two rows are good, and one breaks a critical rule."""
OTHER = csv(HEADER + b"1,gina,2026-01-03\n2,hugo,2026-01-03\n")
INFERRED: dict[str, Any] = {"rules": [], "columns": {}, "data_time": None}
ANN = Actor("ann")


def hold(installation: Installation, server: FaultyServer, answer: Answering = DOUBTED, **more: Any) -> str:
    installation.configure(people(server.url, **{**AT_MOST_5, **more}))
    server.answer = GOOD
    assert installation.run_one(fresh=True).accepted
    return held_now(installation, server, answer)


def held_now(installation: Installation, server: FaultyServer, answer: Answering) -> str:
    server.answer = answer
    run = installation.run_one(fresh=True)
    assert not run.accepted
    with installation.system() as system:
        return next(one.version for one in system.views.versions("people") if one.state == "held")


def do(installation: Installation, what: Any, *arguments: Any, **options: Any) -> Decided:
    with installation.system() as system:
        done: Decided = what(system, ANN, "people", *arguments, **options)
        return done


def states(installation: Installation) -> list[str]:
    """Of all versions, the oldest first; the one that readers see with a mark."""
    with installation.system() as system:
        found = versions(system, "people").versions
    return [one.state + "*" * one.current for one in reversed(found)]


def stands(installation: Installation) -> DatasetStatus:
    """What `status` says of it."""
    with installation.system() as system:
        (found,) = status(system).datasets
        return found


def names(installation: Installation) -> list[str]:
    return [row["name"] for row in installation.rows("people")]


# Accept
