"""Which tests run which line, and how long each takes: what `pytest-cov` noted of one run of them."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["Reached", "measured"]

DURATIONS = "durations.json"

SERVERS = {"postgres", "postgres_server", "own_server", "redis_server", "redis_folder", "dask_cluster"}


@dataclass(frozen=True)
class Reached:
    """What one run of tests showed.

    Attributes:
        seconds: Of each test, by its node id, with what it sets up and tears down.
        lines: By module and line: the tests that run it.
    """

    seconds: Mapping[str, float]
    lines: Mapping[str, Mapping[int, frozenset[str]]]

    def tests(self, path: str, lines: tuple[int, int, int], *, imported: bool) -> list[str]:
        """The tests that run one of the lines; where the import does, those that run anything of the module, or all."""
        of = self.lines.get(path, {})
        first, begin, end = lines
        found: frozenset[str] = frozenset().union(*(of.get(line, frozenset()) for line in range(begin, end + 1)))
        if imported:
            found = frozenset().union(*of.values()) or frozenset(self.seconds)
        return sorted(found or of.get(first, frozenset()))


def measured(tree: Path, paths: Sequence[str], tests: Sequence[str], *, workers: int) -> Reached:
    """Run tests in a copy of the tree, and note what runs the lines of some modules.

    A test that fails as it is can notice nothing.
    """
    data = tree / ".coverage"
    (tree / "lines.ini").write_text("[run]\nbranch = false\n")  # which way a line was left says nothing here
    watched = [f"--cov={path.removesuffix('.py').replace('/', '.')}" for path in paths]
    run = [sys.executable, "-m", "pytest", "-p", "tests.mutants.reached", "-m", "not prove", "-n", str(workers)]
    command = [
        *run,
        "--dist",
        "loadfile",
        *watched,
        "--cov-config=lines.ini",
        "--cov-context=test",
        "--cov-report=",
        *tests,
    ]
    subprocess.run(command, cwd=tree, check=False)
    seconds = json.loads((tree / DURATIONS).read_text())
    return Reached(seconds, _lines(data, tree, paths, frozenset(seconds)))


def _lines(data: Path, tree: Path, paths: Sequence[str], tests: frozenset[str]) -> dict[str, dict[int, frozenset[str]]]:
    from coverage import CoverageData

    noted = CoverageData(str(data))
    noted.read()
    found = {}
    for path in paths:
        contexts = noted.contexts_by_lineno(str(tree / path))
        # `tests/x.py::test_y|run`: the context has the phase behind it, and none is what the import ran.
        found[path] = {
            line: tests.intersection(one.rpartition("|")[0] for one in names) for line, names in contexts.items()
        }
    return found


# Where this file is a plugin of the run:

_seconds: dict[str, float] = {}
_failed: set[str] = set()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without those that start a server: it would be started for each mutant, and outlive who is killed."""
    items[:] = [
        item
        for item in items
        if "PostgreSQL" not in item.nodeid and SERVERS.isdisjoint(getattr(item, "fixturenames", ()))
    ]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """In the process that hears of all tests."""
    _seconds[report.nodeid] = _seconds.get(report.nodeid, 0.0) + report.duration
    if not report.passed:
        _failed.add(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):
        passed = {test: seconds for test, seconds in _seconds.items() if test not in _failed}
        Path(DURATIONS).write_text(json.dumps(passed))
