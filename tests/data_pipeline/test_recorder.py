"""What goes on the record is told, all of it, once it is committed."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from types import SimpleNamespace
from typing import Any, cast

import pytest

from data_pipeline.dataset import DatasetRun
from data_pipeline.outcome import Outcome
from data_pipeline.recorder import Recorder
from utils.cache.cache import Cache
from utils.events import EventStore, NewEvent


class Slow(Future[Any]):
    """A future that has woken those who wait for it and has not called back yet."""

    def __init__(self) -> None:
        super().__init__()
        self.woken, self.go_on = threading.Event(), threading.Event()

    def _invoke_callbacks(self) -> None:
        self.woken.set()
        self.go_on.wait(120)
        super()._invoke_callbacks()  # type: ignore[misc]  # the seam of the standard library's own order


def test_a_result_is_not_lost_between_its_commit_and_the_call_back() -> None:
    """Whoever waits for the commit may run before the results are gathered; the run's end waits for them."""
    commit = Slow()
    events = cast("EventStore", SimpleNamespace(submit=lambda *_, **__: commit))
    cache = cast("Cache", SimpleNamespace(set_many=lambda _: None))
    recorder = Recorder(events, cache, 60.0, lambda _: None, lambda: None)
    result = DatasetRun(dataset="a", provider="p", status="succeeded", origin="provider")
    recorder.record(Outcome(result, (NewEvent("dataset.collected", "a", {"run_id": "1"}, source="pipeline"),)))

    with ThreadPoolExecutor(2) as threads:
        threads.submit(commit.set_result, None)
        assert commit.woken.wait(120)
        finished = threads.submit(recorder.finish)
        with pytest.raises(NotYet):
            finished.result(0.2)
        commit.go_on.set()
        assert finished.result(120) == [result]
