"""Who is made of whom, as data: datasets, where they are published, and the versions that each was made from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from config.datasets import DatasetSettings
from config.kinds import sink
from data_pipeline.graph import Graph, select
from data_pipeline.store.views import Current
from integrated_system import IntegratedSystem

__all__ = ["Input", "Lineage", "Link", "Node", "lineage"]


@dataclass(frozen=True, slots=True)
class Input:
    """A version that another was made from, or judged by. `newest`: readers see it still."""

    dataset: str
    version: str
    newest: bool

    def to_json(self) -> dict[str, Any]:
        return {"dataset": self.dataset, "version": self.version, "newest": self.newest}


@dataclass(frozen=True, slots=True)
class Node:
    """A dataset, or a place that one is published to.

    Attributes:
        id: The dataset's name; of a place its dataset, an arrow and its own name.
        kind: `dataset`, `derived` (made of others) or `sink`.
        provider: Who serves it; of a place its kind.
        function: What makes a derived dataset; `code`: a hash of it, as its version was made.
        status: Of its last run; "never ran".
        version: What readers see, accepted at `accepted_at`.
        made_from: What that version was made from; `looked_at`: what its rules looked values up in.
    """

    id: str
    kind: str
    provider: str
    tags: tuple[str, ...] = ()
    function: str | None = None
    status: str | None = None
    version: str | None = None
    accepted_at: str | None = None
    code: str | None = None
    made_from: tuple[Input, ...] = ()
    looked_at: tuple[Input, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": self.kind,
            "provider": self.provider,
            "tags": list(self.tags),
            "function": self.function,
            "status": self.status,
            "version": self.version,
            "accepted_at": self.accepted_at,
            "code": self.code,
            "made_from": [one.to_json() for one in self.made_from],
            "looked_at": [one.to_json() for one in self.looked_at],
        }


@dataclass(frozen=True, slots=True)
class Link:
    """Rows go from one node to another. `kind`: the key that says so."""

    source: str
    target: str
    kind: str

    def to_json(self) -> dict[str, Any]:
        return {"source": self.source, "target": self.target, "kind": self.kind}


@dataclass(frozen=True, slots=True)
class Lineage:
    """The graph: every node once, datasets in the order of the configuration."""

    nodes: tuple[Node, ...]
    edges: tuple[Link, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        return {"nodes": [node.to_json() for node in self.nodes], "edges": [edge.to_json() for edge in self.edges]}


def lineage(system: IntegratedSystem, selectors: Sequence[str] = ()) -> Lineage:
    """The graph of all datasets; or of those selected, with all above and all below them.

    Raises:
        ConfigError: no such dataset or tag.
    """
    settings = system.settings
    graph = Graph(settings.datasets)
    chosen = [dataset.name for dataset in select(settings, selectors)]
    shown = graph.above(chosen) | graph.below(chosen) if selectors else set(chosen)
    current = system.views.current()
    nodes: list[Node] = []
    links: list[Link] = []
    for dataset in settings.datasets:
        if dataset.name not in shown:
            continue
        nodes.append(_node(system, dataset, current))
        links += [
            Link(edge.needs, dataset.name, edge.kind) for edge in graph.needs[dataset.name] if edge.needs in shown
        ]
        for place in _places(system, dataset):
            nodes.append(place)
            links.append(Link(dataset.name, place.id, "publish"))
    return Lineage(tuple(nodes), tuple(links))


def _node(system: IntegratedSystem, dataset: DatasetSettings, current: dict[str, Current]) -> Node:
    name, derived = dataset.name, dataset.transform is not None
    standing = current.get(name)
    seen = None if standing is None or standing.version is None else system.views.version(name, standing.version)
    body = {} if seen is None else seen.body

    def inputs(found: dict[str, str]) -> tuple[Input, ...]:
        newest = {other: now.version for other in found if (now := current.get(other)) is not None}
        return tuple(Input(other, version, newest.get(other) == version) for other, version in found.items())

    return Node(
        id=name,
        kind="derived" if derived else "dataset",
        provider=system.collector.provider_of(dataset),
        tags=dataset.tags,
        function=dataset.collect.function if derived else None,
        status="never ran" if standing is None else standing.status,
        version=None if seen is None else seen.version,
        accepted_at=None if seen is None else seen.time,
        code=body.get("code"),
        made_from=inputs(body.get("inputs", {})),
        looked_at=inputs({other: one for other, one in body.get("looked_at", {}).items() if other != name}),
    )


def _places(system: IntegratedSystem, dataset: DatasetSettings) -> Iterator[Node]:
    for options in dataset.publish:
        place = system.loaded.known.redacted(sink(options.kind)().name_of(options))
        yield Node(id=f"{dataset.name} -> {place}", kind="sink", provider=options.kind)
