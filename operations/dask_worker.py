"""What a process of a Dask cluster does for us: it has its own system, and runs the datasets that it is told of.

Dask finds these functions by their names, so the scheduler and every worker must be able to import this module.
"""

import hashlib
import json
import platform
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from operations.dask_marks import SHARE_HINT, Unusable, check_afar, check_cache, check_here, is_here, missing_afar
from utils.release import release
from utils.resilience.cancellation import CancelToken

if TYPE_CHECKING:
    from data_pipeline.elsewhere import Task, Told
    from data_pipeline.in_slices import Slice, TableWork
    from data_pipeline.on_behalf import OnBehalf
    from data_pipeline.validate.report import Report
    from data_pipeline.validate.rules import Rule
    from integrated_system import IntegratedSystem

__all__ = [
    "Installation",
    "Seen",
    "about",
    "dask_setup",
    "dask_teardown",
    "digest_of",
    "forget_all",
    "look",
    "observe_slice",
    "run_task",
    "stop_run",
]

MOST_IDLE = 2
"""Systems that a process keeps though nobody uses them: the cluster may serve several installations."""


class Installation(NamedTuple):
    """What a worker must find as the asking process does.

    Attributes:
        config, state_dir: Absolute paths; a worker on another machine may have others.
        digest: Of the whole configuration, its secrets included.
        mark: A name that the asking process has put where its state lies (`dask_marks.py`).
    """

    config: str
    state_dir: str
    digest: str
    mark: str


class Seen(NamedTuple):
    """What a process is, and why it cannot work for an installation. `message`: "" when it can."""

    python: str
    version: str
    message: str = ""
    hint: str = ""


def about() -> tuple[str, str]:
    """The versions of Python and of the program, as this process has them."""
    return ".".join(platform.python_version_tuple()[:2]), release()


def digest_of(system: "IntegratedSystem") -> str:
    """A number for a configuration: equal ones have the same.

    Where the state lies is told by itself; the folder of the files may be another one elsewhere.
    """
    data = system.loaded.data
    app = {key: value for key, value in data.get("app", {}).items() if key != "state_dir"}
    told = json.dumps({**data, "app": app}, sort_keys=True, default=str)
    told = told.replace(f"{json.dumps(str(system.loaded.main.parent))[:-1]}/", '"/')
    return hashlib.sha256(told.encode()).hexdigest()


def look(config: str, state_dir: str, digest: str, mark: str) -> tuple[str, ...]:
    """A `Seen` of this process, as plain texts: it must be understood by other releases."""
    from integrated_system import ROOT

    found = Seen(*about())
    try:
        with _of(Installation(config, state_dir, digest, mark)) as held:
            if held.afar:
                check_cache(held.system, mark)
            return found
    except Exception as error:  # noqa: BLE001 - whatever it is, who asks tells it
        known = hasattr(error, "hint")
        words = str(error) if known else f"{type(error).__name__}: {error}"
        return found._replace(message=words, hint=getattr(error, "hint", "") or f"the program lies at {ROOT} there")


def run_task(installation: Installation, task: "Task") -> "Told":
    """Run a dataset; tells what is recorded of it. Raises nothing that is known."""
    from config.errors import ConfigError
    from data_pipeline.elsewhere import Told, Trouble
    from utils.database import StateError

    try:
        with _of(installation) as held, held.at_work(task.run_id) as cancel:
            return held.line.run(task, cancel)
    except (ConfigError, StateError, Unusable) as error:
        return Told(trouble=Trouble(f"a worker cannot run {task.dataset}: {error}", error.hint))


def observe_slice(installation: Installation, part: "Slice") -> bytes:
    """The states of a table's rules after a slice of it (`data_pipeline/in_slices.py`).

    Raises:
        StoreError: a file of the table cannot be read.
    """
    with _of(installation) as held:
        dataset = held.system.settings.find(part.work.dataset)
        assert dataset is not None  # the configuration is the same
        return held.system.pipeline.observe_slice(part, dataset)


def _judged_by_all(held: "_Held", work: "TableWork", rules: "Sequence[Rule]") -> "Report | None":
    """Rules on a large table, judged by all workers; None: it is not worth it, or they cannot just now."""
    from functools import partial

    from data_pipeline import in_slices
    from data_pipeline.errors import PipelineError

    if work.rows < in_slices.LEAST_ROWS or held.asked_by is None:
        return None
    from distributed import worker_client

    system, observe = held.system, partial(observe_slice, held.asked_by)
    try:
        # Our thread is given back meanwhile: else a cluster with one thread would wait for itself.
        with worker_client() as client:
            if len(client.nthreads()) < in_slices.LEAST_WORKERS:
                return None
            return in_slices.judged_in_slices(
                work,
                partial(client.get_executor(pure=False).submit, observe),
                system.results,
                rules,
                memory_limit=system.settings.app.memory_limit,
                rows=in_slices.SLICE_ROWS,
            )
    except PipelineError:
        raise
    except Exception as error:  # noqa: BLE001 - workers that are lost are no reason to lose the batch
        from utils.logger import get_logger

        get_logger("executor").warning("table.judged_here", dataset=work.dataset, path=work.path, reason=str(error))
        return None


def stop_run(run_id: str) -> None:
    """Interrupt what this process does for a run."""
    with _guard:
        found = [cancel for held in _held.values() for cancel in held.tokens.get(run_id, ())]
    for cancel in found:
        cancel.cancel("stopped")


def forget_all() -> None:
    """Close the systems of this process, and its logs."""
    from operations.logs import stop_logging

    with _guard:
        gone = list(_held.values())
        _held.clear()
    for held in gone:
        held.system.close()
    if gone:
        stop_logging()


def dask_setup(worker: Any) -> None:  # noqa: ARG001 - Dask's preloads are called with it
    """In the workers of a cluster of our own: Ctrl-C is for the process that started them, which ends them."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def dask_teardown(worker: Any) -> None:  # noqa: ARG001 - likewise
    """In orderly ends: what waits to be written is written."""
    forget_all()


class _Held:
    """A system of this process, built for an installation."""

    def __init__(self, system: "IntegratedSystem", line: "OnBehalf", *, afar: bool) -> None:
        self.system = system
        self.line = line
        self.afar = afar
        self.asked_by: Installation | None = None  # lately
        self.marks: set[str] = set()
        self.users = 0
        self.tokens: dict[str, list[CancelToken]] = {}
        self._run_id = ""

    @contextmanager
    def at_work(self, run_id: str) -> Iterator[CancelToken]:
        cancel = CancelToken()
        with _guard:
            alone, new = not self.tokens, run_id != self._run_id
            self._run_id = run_id
            self.tokens.setdefault(run_id, []).append(cancel)
        if new:
            self.system.own_network.look_again()
            if alone:
                self.system.pipeline.forget()
        try:
            yield cancel
        finally:
            with _guard:
                mine = self.tokens[run_id]
                mine.remove(cancel)
                if not mine:
                    del self.tokens[run_id]

    def check_mark(self, mark: str) -> None:
        """Look, once for each who asks, whether its state is ours. Raises `Unusable`."""
        if mark not in self.marks:
            (check_afar if self.afar else check_here)(self.system, mark)
            self.marks.add(mark)


_guard = threading.Lock()
_building = threading.Lock()
_held: dict[Installation, _Held] = {}


@contextmanager
def _of(installation: Installation) -> Iterator[_Held]:
    """The system of this process for an installation; made when it is first asked for, once."""
    key = installation._replace(mark="")
    held = _taken(key)
    if held is None:
        with _building:  # threads race
            held = _taken(key)
            if held is None:
                made = _made(installation)
                with _guard:
                    held = _held[key] = made
                    held.users += 1
    try:
        held.check_mark(installation.mark)
        held.asked_by = installation
        yield held
    finally:
        with _guard:
            held.users -= 1
            idle = [key for key, one in _held.items() if not one.users]
            gone = [_held.pop(key) for key in idle[:-MOST_IDLE]]
        for one in gone:
            one.system.close()


def _taken(key: Installation) -> _Held | None:
    with _guard:
        held = _held.pop(key, None)
        if held is not None:
            _held[key] = held  # the last one that was used is the last one to go
            held.users += 1
        return held


def _made(installation: Installation) -> _Held:
    from functools import partial
    from pathlib import Path

    from integrated_system import IntegratedSystem
    from operations.logs import start_logging

    state_dir, config = Path(installation.state_dir), Path(installation.config)
    afar = not is_here(state_dir, installation.mark)
    # Elsewhere what is our own (logs, temporary files) lies where the configuration says, as seen from here.
    found = None if afar and not config.exists() else config
    system = IntegratedSystem(found, state_dir=None if afar else state_dir)
    try:
        _check_configuration(installation, system, afar=afar)
        held = _Held(system, _line_of(system), afar=afar)
        held.check_mark(installation.mark)
        start_logging(system)
        system.pipeline.judge_tables_with(partial(_judged_by_all, held))
    except BaseException:
        system.close()
        raise
    return held


def _check_configuration(installation: Installation, system: "IntegratedSystem", *, afar: bool) -> None:
    from pathlib import Path

    if digest_of(system) != installation.digest:
        raise Unusable(
            f"the configuration {system.loaded.main} is not the one of the process that asks",
            hint="give all machines the same files and the same variables (`ORCHESTRATOR_…`, and those in `${…}`)",
        )
    if afar and (missing := missing_afar(system)):
        there = Path(installation.state_dir).is_dir()
        raise Unusable(
            f"the state in {installation.state_dir} is not the state of the process that asks"
            if there
            else f"there is no state directory {installation.state_dir}, and for a worker on another machine this is"
            f" not configured: {', '.join(missing)}",
            hint=SHARE_HINT,
        )


def _line_of(system: "IntegratedSystem") -> "OnBehalf":
    from data_pipeline.on_behalf import OnBehalf

    return OnBehalf(
        pipeline=system.pipeline,
        find=system.settings.find,
        counted=system.resilience.news,
        views=system.views,
        events=system.events,
        database=system.database,
        cache=system.cache,
        cache_ttl=system.settings.cache.ttl,
    )
