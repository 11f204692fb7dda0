"""Which datasets of a run may begin: by priority, and after those whose rows they need."""

from collections.abc import Sequence
from typing import NamedTuple

from config.datasets import DatasetSettings
from data_pipeline.graph import edges

__all__ = ["Ready", "Waiting"]


class Ready(NamedTuple):
    """A dataset that may begin. `rank`: the smaller, the sooner."""

    rank: int
    dataset: DatasetSettings


class Waiting:
    """The datasets of a run that nobody has taken yet. Not thread-safe: whoever hands them out guards it.

    Attributes:
        needed: Those that others of this run wait for.
        left: How many were not handed out yet.
    """

    def __init__(self, datasets: Sequence[DatasetSettings]) -> None:
        ordered = [Ready(rank, one) for rank, one in enumerate(sorted(datasets, key=lambda one: -one.priority))]
        names = {dataset.name for dataset in datasets}
        self._lacks: dict[str, int] = {}
        self._waits_for: dict[str, list[Ready]] = {}
        for one in ordered:
            name = one.dataset.name
            needs = {edge.needs for edge in edges(one.dataset)} & names - {name}
            if needs:
                self._lacks[name] = len(needs)
                for other in needs:
                    self._waits_for.setdefault(other, []).append(one)
        self.needed = frozenset(self._waits_for)
        self.left = len(ordered)
        self._free = [one for one in ordered if one.dataset.name not in self._lacks]
        self._held = {one.dataset.name: one for one in ordered if one.dataset.name in self._lacks}
        self._working = 0

    def ready(self) -> list[Ready]:
        """Those that may begin now and were not handed out before.

        Datasets that need each other in a circle go on with what is there, once nobody works on anything.
        """
        free, self._free = self._free, []
        if not free and not self._working and self._held:
            free = [self._held.pop(next(iter(self._held)))]
        self._working += len(free)
        self.left -= len(free)
        return free

    def done(self, name: str) -> None:
        """What a dataset delivered is there for those that need it; or it failed, and they take what is there."""
        self._working -= 1
        for one in self._waits_for.pop(name, ()):
            other = one.dataset.name
            self._lacks[other] -= 1
            if not self._lacks[other] and (freed := self._held.pop(other, None)) is not None:
                self._free.append(freed)

    def stop(self) -> None:
        """Nothing more is handed out."""
        self._free.clear()
        self._held.clear()
        self.left = 0
