"""Schemathesis asks every path of the OpenAPI document, as each role, with what fits it and what does not."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from operations import detached, tokens
from operations.actor import ROLES, Actor, Role
from tests.api.conftest import UNBOUND
from tests.api.serving import served
from tests.integration.installation import Installation

SETTINGS = """
[parameters]
"query.wait" = 0

[checks.positive_data_acceptance]
# What a schema cannot say is 422 as well: a cursor of ours, `since` before `until`, a key that was used before.
expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 422, 429]

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422]
"""


@dataclass(frozen=True)
class Asked:
    """A server that is there to be asked, and a token of each role."""

    url: str
    tokens: Mapping[Role, str]
    folder: Path


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """A real server over an installation that has something of everything. Runs that are asked for wait for ever."""
    folder = tmp_path_factory.mktemp("asked")
    made = Installation(folder)
    rows = {"kind": "simulated", "rows": 20}
    made.configure(
        {"name": "orders", "provider": "partner", "collect": rows, "schedule": {"every": "1h"}},
        {"name": "fx", "provider": "ecb", "collect": rows, "depends_on": ["orders"]},
        api=UNBOUND,
    )
    made.run()
    made.run(fresh=True)
    with pytest.MonkeyPatch.context() as patched, made.system() as system:
        patched.setattr(detached, "start_detached", lambda *_: None)
        for number in range(20):
            system.record("orders_open", 100.0 + number % 3, tags={"shop": "berlin"})
        secrets = {role: tokens.create(system, Actor("me", "admin"), role, role).secret for role in ROLES}
        with served(system) as url:
            yield Asked(url, secrets, folder)


def ran(asked: Asked, role: Role, *more: str, phases: str, cases: int) -> tuple[int, str]:
    """How many requests were made, and what was found wrong; "": nothing. `cases`: of each path, in the last phase."""
    config = asked.folder / "schemathesis.toml"
    config.write_text(SETTINGS)
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run"]
    command += [f"{asked.url}/openapi.json", "--header", f"Authorization: Bearer {asked.tokens[role]}"]
    command += ["--checks", "all", "--phases", phases, "--max-examples", str(cases), "--seed", "11"]
    command += ["--exclude-path-regex", "/follow$", "--request-timeout", "30", "--continue-on-failure", "--no-color"]
    command += ["--no-shrink", "--warnings", "off", *more]
    done = subprocess.run(command, capture_output=True, text=True, cwd=asked.folder, check=False)
    said = done.stdout + done.stderr
    found = re.search(r"([\d,]+) generated", said)
    assert found is not None, said
    return int(found[1].replace(",", "")), "" if done.returncode == 0 else said


@pytest.mark.parametrize(
    ("role", "methods"),
    [("viewer", ("--include-method", "GET")), ("operator", ()), ("admin", ("--exclude-method", "GET"))],
    ids=ROLES,
)
def test_no_request_breaks_the_document(asked: Asked, role: Role, methods: tuple[str, ...]) -> None:
    """All checks: no 5xx, answers as documented, nothing malformed is taken, no way around a token."""
    count, wrong = ran(asked, role, *methods, phases="fuzzing", cases=1)

    assert wrong == ""
    assert count >= 25


@pytest.mark.prove
@pytest.mark.timeout(600)
@pytest.mark.parametrize("role", ROLES)
def test_five_thousand_requests_break_nothing(asked: Asked, role: Role) -> None:
    """The same with the examples of the document, the edges of each parameter, and more by chance."""
    count, wrong = ran(asked, role, phases="examples,coverage,fuzzing", cases=60)

    assert wrong == ""
    assert count >= 5000
