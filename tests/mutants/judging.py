"""Whether a test fails with a mutant: in a process of its own, forked from one that has collected all the tests.

The mutant's function is compiled from the changed source and takes the place of the real one, so that nothing is
imported again. What is run by the import cannot be had so: `unswapped`, and somebody else changes the file.
`python -m tests.mutants.judging PLAN VERDICTS` is that process, in a copy of the tree.
"""

import gc
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import psutil
import pytest

from tests.mutants.mutations import Mutant

__all__ = ["AT_ONCE", "PATIENCE_S", "Judge", "enough", "ordered", "swap"]

PATIENCE_S = 30.0
"""A test that takes longer hangs. None does without a mutant."""

ENOUGH_S = 10.0
"""Seconds of tests, as they are without a mutant; who passes them all has survived."""

AT_ONCE = 2

SURVIVED, KILLED, UNSWAPPED = 0, 1, 3


@dataclass(slots=True)
class _Trial:
    number: int
    until: float
    pid: int


class Judge:
    """A plugin that runs mutants instead of tests.

    Args:
        planned: For each mutant: the mutant, the changed source, the tests that run its line, quickest first.
        notes: An empty folder.
    """

    def __init__(
        self, planned: Sequence[tuple[Mutant, str, list[str]]], seconds: Mapping[str, float], notes: Path
    ) -> None:
        self._planned = planned
        self._seconds = seconds
        self._notes = notes
        self._failed = ""
        self._functions: dict[str, list[FunctionType]] = {}
        self.verdicts: dict[int, dict[str, Any]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        for mutant, _, _ in self._planned:
            importlib.import_module(mutant.path.removesuffix(".py").replace("/", "."))
        self._functions = _functions()
        session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]  # one for all that are forked
        waiting, trials = list(range(len(self._planned)))[::-1], list[_Trial]()
        while waiting or trials:
            while waiting and len(trials) < AT_ONCE:
                trials.append(self._begun(waiting.pop(), items))
            time.sleep(0.02)
            trials = [trial for trial in trials if not self._over(trial)]
        return True

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed = report.nodeid

    def _begun(self, number: int, items: Mapping[str, pytest.Item]) -> _Trial:
        mutant, changed, tests = self._planned[number]
        chosen = [items[test] for test in enough([test for test in tests if test in items], self._seconds)]
        (self._notes / str(number)).write_text(json.dumps({"tests": len(chosen), "failed": ""}))
        limit = 60.0 + 10.0 * sum(self._seconds.get(item.nodeid, 0.0) for item in chosen)
        pid = os.fork()
        if pid == 0:
            os._exit(self._tried(number, mutant, changed, chosen))
        return _Trial(number, time.monotonic() + limit, pid)

    def _tried(self, number: int, mutant: Mutant, changed: str, items: list[pytest.Item]) -> int:
        try:
            if not swap(mutant, changed, self._functions):
                return UNSWAPPED
            for following, item in enumerate(items, 1):
                after = items[following] if following < len(items) else None
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
                if self._failed:
                    break
            if items:
                items[0].session._setupstate.teardown_exact(None)
        except BaseException as error:  # noqa: BLE001 - whatever it does is its end
            self._failed = self._failed or f"{type(error).__name__}: {error}"
        note = {"tests": len(items), "failed": self._failed}
        (self._notes / str(number)).write_text(json.dumps(note))
        return KILLED if self._failed else SURVIVED

    def _over(self, trial: _Trial) -> bool:
        pid, status = os.waitpid(trial.pid, os.WNOHANG)
        late = time.monotonic() > trial.until
        if not pid and not late:
            return False
        if not pid:
            self._end(trial.pid)
        code = KILLED if not pid or os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)
        note = json.loads((self._notes / str(trial.number)).read_text())
        verdict = {SURVIVED: "survived", UNSWAPPED: "unswapped"}.get(code, "killed")
        by = note["failed"] or ("it hung" if late else "it died" if verdict == "killed" else "")
        self.verdicts[trial.number] = {"verdict": verdict, "by": by, "tests": note["tests"]}
        print(f"{len(self.verdicts)}/{len(self._planned)} {verdict} {by}", file=sys.stderr, flush=True)
        return True

    def _end(self, pid: int) -> None:
        for child in psutil.Process(pid).children(recursive=True):
            child.kill()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def swap(mutant: Mutant, changed: str, functions: Mapping[str, Sequence[FunctionType]]) -> bool:
    """Give the functions of a loaded module the code of the changed source; whether there were any.

    Args:
        functions: All there are, by the file of their code.

    Raises:
        SyntaxError: The change makes no program.
    """
    module = importlib.import_module(mutant.path.removesuffix(".py").replace("/", "."))
    file = module.__file__
    assert file is not None
    codes = {
        (code.co_qualname, code.co_firstlineno): code
        for code in _within(compile(changed, file, "exec", dont_inherit=True))
        if code.co_qualname == mutant.function or code.co_qualname.startswith(f"{mutant.function}.<locals>.")
    }
    swapped = False
    for one in functions.get(file, ()):
        code = codes.get((one.__code__.co_qualname, one.__code__.co_firstlineno))
        if code is not None and len(code.co_freevars) == len(one.__code__.co_freevars):
            one.__code__ = code
            swapped = swapped or code.co_qualname == mutant.function
    return swapped


def _functions() -> dict[str, list[FunctionType]]:
    gc.unfreeze()  # those that came with the tests are to be found too
    found: dict[str, list[FunctionType]] = {}
    for one in gc.get_objects():
        if type(one) is FunctionType:
            found.setdefault(one.__code__.co_filename, []).append(one)
    gc.freeze()
    return found


def _within(code: CodeType) -> Iterator[CodeType]:
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield one
            yield from _within(one)


def enough(tests: Sequence[str], seconds: Mapping[str, float]) -> list[str]:
    """The first of them, as many as take so long together that who passes them has survived."""
    ends = accumulate(seconds.get(test, 0.0) for test in tests)
    return [test for test, end in zip(tests, ends, strict=True) if end - seconds.get(test, 0.0) <= ENOUGH_S]


def ordered(mutant: Mutant, tests: Sequence[str], seconds: Mapping[str, float]) -> list[str]:
    """Tests of the module itself first, by their names; then the quickest."""
    words = set(mutant.path.removesuffix(".py").split("/"))

    def distance(test: str) -> tuple[int, float]:
        file = set(test.partition("::")[0].removesuffix(".py").replace("/test_", "/").split("/"))
        return -len(words & file), seconds.get(test, 0.0)

    return sorted(tests, key=distance)


def _main(plan: str, verdicts: str) -> None:
    given = json.loads(Path(plan).read_text())
    planned = [
        (Mutant(**{**one["mutant"], "lines": tuple(one["mutant"]["lines"])}), one["changed"], one["tests"])
        for one in given["planned"]
    ]
    notes = Path(f"{verdicts}.notes")
    notes.mkdir()
    judge = Judge(planned, given["seconds"], notes)
    files = sorted({test.partition("::")[0] for _, _, tests in planned for test in tests})
    options = ["-m", "not prove", "-p", "no:cacheprovider", "-s", f"--timeout={PATIENCE_S:g}"]
    options.append(f"--basetemp={notes.with_suffix('.folders')}")
    code = pytest.main([*options, *files], plugins=[judge])
    Path(verdicts).write_text(json.dumps(judge.verdicts))
    sys.exit(int(code) if code != pytest.ExitCode.NO_TESTS_COLLECTED else 0)


if __name__ == "__main__":
    _main(*sys.argv[1:])
