"""Which datasets of a run may begin: by priority, and after those whose rows they need."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from config.datasets import DatasetSettings
from data_pipeline.graph import upstream

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
        by_name = {dataset.name: dataset for dataset in datasets}
        needs: dict[str, Collection[str]] = {}
        for name, dataset in by_name.items():
            if found := upstream(dataset):
                others = {other for other in found if other in by_name}
                others.discard(name)
                if others:
                    needs[name] = others
        self._lacks = {name: len(others) for name, others in needs.items()}
        ordered = [Ready(rank, one) for rank, one in enumerate(_by_urgency(by_name, needs))]
        self._free: list[Ready] = []
        self._held: dict[str, Ready] = {}
        self._waits_for: dict[str, list[Ready]] = {}
        for one in ordered:
            name = one.dataset.name
            if name not in needs:
                self._free.append(one)
                continue
            self._held[name] = one
            for other in needs[name]:
                self._waits_for.setdefault(other, []).append(one)
        self.needed = frozenset(self._waits_for)
        self.left = len(ordered)
        self._working = 0

    def ready(self) -> list[Ready]:
        """Those that may begin now and were not handed out before.

        Datasets that look each other up in a circle go on with what is there, once nobody works on anything.
        """
        free, self._free = self._free, []
        if not free and not self._working and self._held:
            free = [self._held.pop(self._least_bound())]
        self._working += len(free)
        self.left -= len(free)
        return free

    def _least_bound(self) -> str:
        """The first that waits in a circle for no dataset it depends on: `depends_on` alone has no circles."""
        bound = (name for name, one in self._held.items() if self._held.keys().isdisjoint(one.dataset.depends_on))
        return next(bound)

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


def _by_urgency(by_name: Mapping[str, DatasetSettings], needs: Mapping[str, Collection[str]]) -> list[DatasetSettings]:
    """By priority, then in the order given; what is needed is as urgent as the most urgent that needs it."""
    urgent = {name: dataset.priority for name, dataset in by_name.items()}
    if len(set(urgent.values())) < 2:
        return list(by_name.values())
    told: set[str] = set()
    for name in sorted(needs, key=urgent.__getitem__, reverse=True):
        # From the most urgent on: who was reached before, was reached by somebody as urgent.
        left = [name]
        while left:
            if (one := left.pop()) not in told:
                told.add(one)
                urgent[one] = max(urgent[one], urgent[name])
                left += needs.get(one, ())
    return sorted(by_name.values(), key=lambda dataset: -urgent[dataset.name])
