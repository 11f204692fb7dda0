"""Which dataset is next: by priority, and after those whose rows it needs."""

import threading
from collections import deque
from collections.abc import Sequence

from config.datasets import DatasetSettings

__all__ = ["Waiting", "upstream"]


def upstream(dataset: DatasetSettings) -> frozenset[str]:
    """The datasets whose rows say what this one asks for (`for_each`), or what its values must be (`references`)."""
    asked = getattr(dataset.collect, "for_each", None)
    looked_up = {str(rule.params["dataset"]) for rule in dataset.rules if rule.kind == "references"}
    return frozenset(looked_up if asked is None else {*looked_up, str(asked.dataset)})


class Waiting:
    """The datasets of a run that nobody has taken yet. Thread-safe; in most runs none waits for another."""

    def __init__(self, datasets: Sequence[DatasetSettings]) -> None:
        names = {dataset.name for dataset in datasets}
        self._left = deque(sorted(datasets, key=lambda dataset: -dataset.priority))
        needs = {dataset.name: upstream(dataset) & names - {dataset.name} for dataset in datasets}
        self._needs = {name: need for name, need in needs.items() if need}
        self.needed = frozenset[str]().union(*self._needs.values())
        self._unfinished = set(self.needed)
        self._working: set[str] = set()
        self._moved = threading.Condition()

    def take(self) -> DatasetSettings | None:
        """The next one; waits while all that are left need one that is being worked on. None: all are taken.

        Datasets that need each other in a circle go on with what is there.
        """
        if not self._needs:
            try:
                return self._left.popleft()
            except IndexError:
                return None
        with self._moved:
            while self._left:
                ready = (dataset for dataset in self._left if not self._waits(dataset.name))
                found = next(ready, None)
                if found is None and not self._working & self._unfinished:
                    found = self._left[0]
                if found is not None:
                    self._left.remove(found)
                    self._working.add(found.name)
                    return found
                self._moved.wait()
            return None

    def _waits(self, name: str) -> bool:
        return not self._unfinished.isdisjoint(self._needs.get(name, ()))

    def done(self, name: str) -> None:
        """What a dataset delivered is there for those that need it; or it failed, and they take what is there."""
        if self._needs:
            with self._moved:
                self._unfinished.discard(name)
                self._working.discard(name)
                self._moved.notify_all()

    def stop(self) -> None:
        """Nobody takes any more."""
        with self._moved:
            self._left.clear()
            self._moved.notify_all()
