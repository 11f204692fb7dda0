"""Who needs whom among the declared datasets, and which of them a selection names: `+name`, `name+`, `tag:finance`."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Literal, NamedTuple

from config.datasets import DatasetSettings
from config.errors import ConfigError, Problem, shown
from config.settings import Settings

__all__ = ["Edge", "Graph", "Kind", "edges", "select", "upstream"]

Kind = Literal["depends_on", "for_each", "references"]

_TAG = "tag:"
_ALL_AROUND = "+"


class Edge(NamedTuple):
    """That a dataset needs another. `kind`: the key that says so."""

    needs: str
    kind: Kind


def edges(dataset: DatasetSettings) -> tuple[Edge, ...]:
    """What a dataset needs: those it is made of or comes after, whose rows say what it asks for, or what it looks up.

    Only `depends_on` keeps it from running; of the others it takes what is there.
    """
    found = [Edge(name, "depends_on") for name in dataset.depends_on]
    asked = vars(dataset.collect).get("for_each")  # a model without the field would take its time to say so
    if asked is not None:
        found.append(Edge(str(asked.dataset), "for_each"))
    if not dataset.rules:
        return tuple(found)
    looked_up = (str(rule.params["dataset"]) for rule in dataset.rules if rule.kind == "references")
    found += [Edge(name, "references") for name in dict.fromkeys(looked_up) if name != dataset.name]
    return tuple(found)


def upstream(dataset: DatasetSettings) -> Sequence[str]:
    """The names of what a dataset needs, some perhaps twice: quickly, for there may be ten thousand."""
    if dataset.rules or vars(dataset.collect).get("for_each") is not None:
        return [edge.needs for edge in edges(dataset)]
    return dataset.depends_on


class Graph:
    """The declared datasets and their edges; built in one pass, walked without recursion."""

    def __init__(self, datasets: Iterable[DatasetSettings]) -> None:
        self.needs: dict[str, tuple[Edge, ...]] = {dataset.name: edges(dataset) for dataset in datasets}
        self._needed_by: dict[str, list[str]] | None = None

    @property
    def needed_by(self) -> Mapping[str, Sequence[str]]:
        """Dataset -> those that need it, in the order of the configuration."""
        if self._needed_by is None:
            found: dict[str, list[str]] = {}
            for name, needs in self.needs.items():
                for other in dict.fromkeys(edge.needs for edge in needs):
                    found.setdefault(other, []).append(name)
            self._needed_by = found
        return self._needed_by

    def above(self, names: Iterable[str]) -> set[str]:
        """These datasets and all that they need."""
        return _reached(names, {name: [edge.needs for edge in found] for name, found in self.needs.items()})

    def below(self, names: Iterable[str]) -> set[str]:
        """These datasets and all that need them."""
        return _reached(names, self.needed_by)


def _reached(names: Iterable[str], ways: Mapping[str, Sequence[str]]) -> set[str]:
    left = list(names)
    found = set(left)
    while left:
        more = [name for name in ways.get(left.pop(), ()) if name not in found]
        found.update(more)
        left += more
    return found


def select(settings: Settings, selectors: Sequence[str]) -> list[DatasetSettings]:
    """The datasets that somebody names, each once; none named: all.

    `orders`; `+orders`: with all that it needs; `orders+`: with all that needs it; `+orders+`: both; `tag:finance`: all
    with that tag, and `+` goes with it too. Several are taken together, in the order they were named; those of one
    selector in the order of the configuration.

    Raises:
        ConfigError: no such dataset or tag; it names the nearest.
    """
    if not selectors:
        return list(settings.datasets)
    graph: Graph | None = None
    found: dict[str, DatasetSettings] = {}
    for selector in selectors:
        text = selector.strip()
        middle = text.strip(_ALL_AROUND)
        chosen = _tagged(settings, middle) if middle.startswith(_TAG) else [settings.dataset(middle)]
        if text == middle:
            found.update((dataset.name, dataset) for dataset in chosen)
            continue
        graph = graph or Graph(settings.datasets)
        names = {dataset.name for dataset in chosen}
        reached = set(names)
        if text.startswith(_ALL_AROUND):
            reached |= graph.above(names)
        if text.endswith(_ALL_AROUND):
            reached |= graph.below(names)
        found.update((dataset.name, dataset) for dataset in settings.datasets if dataset.name in reached)
    return list(found.values())


def _tagged(settings: Settings, selector: str) -> list[DatasetSettings]:
    tag = selector.removeprefix(_TAG)
    found = [dataset for dataset in settings.datasets if tag in dataset.tags]
    if not found:
        tags = sorted({tag for dataset in settings.datasets for tag in dataset.tags})
        near = get_close_matches(tag, tags, n=1)
        suggestion = f"; did you mean `tag:{near[0]}`?" if near else ""
        hint = f"Tags are: {', '.join(tags[:20])}." if tags else "No dataset has `tags`."
        raise ConfigError([Problem("", None, "", f"no dataset has the tag {shown(tag)}{suggestion}", hint)])
    return found
