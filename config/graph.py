"""Other datasets named by `depends_on` and `schedule.after`: each must be there, and none may lead back to itself."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from config.datasets import DatasetSettings
from config.errors import Fault, KeyPath, shown

__all__ = ["faults", "no_dataset"]

Found = tuple[KeyPath, ValueError, type | None]

_WORTH_GUESSING = 20
"""Unknown names whose nearest is looked for: each look goes through all names."""

_MOST_SHOWN = 12
"""Datasets of a circle that are spelt out."""


def faults(datasets: Sequence[DatasetSettings]) -> Iterator[Found]:
    """What is wrong with the names of other datasets, in the order of the file; the circles at the end."""
    names = {dataset.name for dataset in datasets}
    made_of: dict[str, tuple[str, ...]] = {}
    triggered: dict[str, tuple[str, ...]] = {}
    unknown = 0
    for position, dataset in enumerate(datasets):
        after = dataset.schedule.after if dataset.schedule is not None else ()
        for keys, others, edges in (
            (("depends_on",), dataset.depends_on, made_of),
            (("schedule", "after"), after, triggered),
        ):
            if not others:
                continue
            edges[dataset.name] = others
            for at, other in enumerate(others):
                place: KeyPath = ("datasets", position, *keys, at)
                if other == dataset.name:
                    yield place, Fault(f"{shown(other)} is this dataset itself", hint="Remove it."), None
                elif other not in names:
                    unknown += 1
                    near = names - {dataset.name} if unknown <= _WORTH_GUESSING else set()
                    yield place, Fault(no_dataset(other, near), hint="Name a dataset of this configuration."), None
                elif other in others[:at]:
                    yield place, Fault(f"{shown(other)} is named twice", hint="Remove one of the two."), None
    positions = {dataset.name: position for position, dataset in enumerate(datasets)}
    hint = "Remove one of these; what both need may be a dataset of its own."
    for circle in _circles(made_of):
        words = f"these datasets need each other: {_spelt(circle)}"
        yield ("datasets", positions[circle[0]], "depends_on"), Fault(words, hint=hint), None
    for circle in _circles(triggered):
        words = f"these datasets would set each other off for ever: {_spelt(circle)}"
        fault = Fault(words, hint="Remove one of these.")
        yield ("datasets", positions[circle[0]], "schedule", "after"), fault, None


def no_dataset(name: str, names: Iterable[str]) -> str:
    """That there is no such dataset, with the nearest that is."""
    near = get_close_matches(name, names, n=1)
    return f"{shown(name)} is no dataset" + (f"; did you mean `{near[0]}`?" if near else "")


def _spelt(circle: Sequence[str]) -> str:
    shortened = [*circle[:_MOST_SHOWN], f"({len(circle) - _MOST_SHOWN} more)"] if len(circle) > _MOST_SHOWN else circle
    return " -> ".join([*shortened, circle[0]])


def _circles(edges: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """Circles of at least two, each of them once and no dataset in two; every edge is looked at once."""
    done: set[str] = set()
    for start in edges:
        if start in done:
            continue
        path: list[str] = [start]
        on_path = {start: 0}
        ways = [iter(edges[start])]
        while path:
            following = next(ways[-1], None)
            if following is None:
                done.add(path[-1])
                del on_path[path.pop()]
                ways.pop()
            elif following in on_path:
                circle = path[on_path[following] :]
                if len(circle) > 1 and done.isdisjoint(circle):
                    done.update(circle)
                    yield circle
            elif following not in done and following in edges:
                on_path[following] = len(path)
                path.append(following)
                ways.append(iter(edges[following]))
