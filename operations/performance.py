"""Time budgets: which run, or which dataset in it, took longer than it may; told once, and when it does no more."""

from collections.abc import Iterator
from typing import NamedTuple

from data_pipeline.budget_views import Over, over_budget, told_over
from data_pipeline.runner import PipelineRun
from integrated_system import IntegratedSystem
from operations.step import Step
from operations.words import duration, listed
from utils.database import Connection, StateError
from utils.events import NewEvent
from utils.quantiles import QuantileSketch

__all__ = ["RUNS", "judge_performance", "watched"]

RUNS = "runs"
"""The subject of what is told of whole runs."""

OVER = {"run": "run.over_budget", "dataset": "dataset.over_budget"}
WITHIN = {"run": "run.within_budget", "dataset": "dataset.within_budget"}

_LOOKED_AT = 100  # runs
_SOURCE = "operations"
_UNFINISHED = frozenset({"cancelled", "interrupted"})


class _Took(NamedTuple):
    """What something took, against what it may; `datasets`: how many were in the run."""

    kind: str
    subject: str
    seconds: float
    budget_s: float
    datasets: int


def judge_performance(system: IntegratedSystem, result: PipelineRun) -> int:
    """Tell of a run that just ended what took too long, and what does no more; gives how many events.

    A run that was broken off says nothing, nor does a dataset that came from the cache. That runs are within their
    budget again is said by one of as many datasets as the one that was not.

    Raises:
        StateError: the log cannot be written.
    """
    if result.status in _UNFINISHED:
        return 0
    over = {(one.kind, one.subject): one for one in over_budget(system.database)}
    count = 0
    for took in _took(system, result):
        before = over.get((took.kind, took.subject))
        if took.seconds > took.budget_s and before is None:
            count += _tell(system, took, result.run_id, over=True)
        elif took.seconds <= took.budget_s and before is not None and took.datasets >= before.datasets:
            count += _tell(system, took, result.run_id, over=False)
    return count


def watched(system: IntegratedSystem, *, dry_run: bool) -> Step:
    """What the last runs took, as quantiles; what is beyond its budget, and the end of what has none any more."""
    over, budgets = over_budget(system.database), system.settings.performance
    ended = [one for one in over if not _has_budget(system, one)]
    if not dry_run:
        for one in ended:
            reason = "it has no budget any more"
            system.events.append([NewEvent(WITHIN[one.kind], one.subject, {"reason": reason}, _SOURCE)])
    sketch = QuantileSketch()
    for run in system.views.runs(limit=_LOOKED_AT):
        seconds = (run.summary or {}).get("duration_s")
        if seconds is not None and run.status not in _UNFINISHED:
            sketch.add(float(seconds))
    left = [one for one in over if one not in ended]
    words = [_quantiles(sketch)]
    if left:
        words.append(f"beyond their budget: {listed([_name(one) for one in left])}")
    elif budgets.asked:
        words.append("all within their budget")
    return Step("performance", len(left), detail="; ".join(words))


def _took(system: IntegratedSystem, result: PipelineRun) -> Iterator[_Took]:
    budgets, count = system.settings.performance, len(result.datasets)
    if budgets.run is not None:
        yield _Took("run", RUNS, result.duration_s, budgets.run, count)
    if budgets.delivery is not None:
        for one in result.datasets:
            if one.status != "skipped" and one.origin != "cache":
                yield _Took("dataset", one.dataset, one.duration_s, budgets.delivery, 1)


def _tell(system: IntegratedSystem, took: _Took, run_id: str, *, over: bool) -> bool:
    """Whether it was news: nobody else told it meanwhile."""

    def as_it_was(connection: Connection) -> None:
        if told_over(connection, took.kind, took.subject) == over:
            raise _ToldAlready(f"{took.subject}: another process told it")

    what = "the run" if took.kind == "run" else "the delivery"
    than = "more than" if over else "within"
    data = {
        "run_id": run_id,
        "seconds": round(took.seconds, 3),
        "budget_s": took.budget_s,
        "datasets": took.datasets,
        "reason": f"{what} took {_time(took.seconds)}, {than} the {_time(took.budget_s)} of its budget",
    }
    kind = OVER[took.kind] if over else WITHIN[took.kind]
    try:
        system.events.append([NewEvent(kind, took.subject, data, _SOURCE)], guard=as_it_was)
    except _ToldAlready:
        return False
    return True


def _has_budget(system: IntegratedSystem, one: Over) -> bool:
    budgets = system.settings.performance
    if one.kind == "run":
        return budgets.run is not None
    return budgets.delivery is not None and system.settings.find(one.subject) is not None


def _name(one: Over) -> str:
    return "the run" if one.kind == "run" else one.subject


def _quantiles(sketch: QuantileSketch) -> str:
    if not sketch.count:
        return "no run has ended yet"
    p50, p95, p99 = (_time(sketch.quantile(share) or 0.0) for share in (0.50, 0.95, 0.99))
    return f"the last {sketch.count} runs took {p50} (median), {p95} (P95), {p99} (P99)"


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < 120.0 else duration(seconds, decimals=1)


class _ToldAlready(StateError):
    """Another process looked at the same moment."""
