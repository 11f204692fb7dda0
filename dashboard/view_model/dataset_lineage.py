"""What a dataset is made of, and what is made of it: near ones first."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.base import Face, face_of
from dashboard.view_model.dataset import moment_words
from dashboard.words import Tone, plain, tone_of

__all__ = ["Around", "Neighbour", "around"]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A dataset, a provider or a sink beside the one of the page.

    Attributes:
        dataset: Its name, when there is a page to go to; "": none.
        steps: How far away, from 1.
        words: How it is used, and which version of it.
    """

    title: str
    dataset: str
    steps: int
    tone: Tone
    state: str
    words: str


@dataclass(frozen=True, slots=True)
class Around:
    """Above (what it is made of) and below (what is made of it, where it goes)."""

    above: tuple[Neighbour, ...] = ()
    below: tuple[Neighbour, ...] = ()
    face: Face | None = None


def around(name: str, answer: Answer, now: datetime, words: Words) -> Around:
    """What stands around a dataset in the answer of `lineage`."""
    if answer.document is None:
        return Around(face=face_of(answer))
    nodes = {node["id"]: node for node in answer.document["nodes"]}
    up: dict[str, list[dict[str, Any]]] = {}
    down: dict[str, list[dict[str, Any]]] = {}
    for edge in answer.document["edges"]:
        up.setdefault(edge["target"], []).append({**edge, "other": edge["source"]})
        down.setdefault(edge["source"], []).append({**edge, "other": edge["target"]})
    mine = nodes.get(name)
    used = {one["dataset"]: one for one in ((mine or {}).get("made_from") or [])}
    used |= {one["dataset"]: one for one in ((mine or {}).get("looked_at") or [])}
    above = [
        _told(nodes[other], steps, kind, used.get(other), now, words, _ABOVE) for other, steps, kind in _walk(name, up)
    ]
    if mine is not None and mine["kind"] == "dataset":
        above.append(Neighbour(plain(mine["provider"]), "", 1, "neutral", words("provider"), words("serves it")))
    below = [_told(nodes[other], steps, kind, None, now, words, _BELOW) for other, steps, kind in _walk(name, down)]
    return Around(tuple(above), tuple(below), face_of(answer))


def _walk(name: str, links: Mapping[str, Sequence[dict[str, Any]]]) -> list[tuple[str, int, str]]:
    """Every node that is reached, once, with the fewest steps to it and the kind of the last link."""
    found: dict[str, tuple[int, str]] = {}
    waiting = deque([(name, 0)])
    while waiting:
        here, steps = waiting.popleft()
        for link in links.get(here, ()):
            if link["other"] not in found and link["other"] != name:
                found[link["other"]] = (steps + 1, link["kind"])
                waiting.append((link["other"], steps + 1))
    return [(other, steps, kind) for other, (steps, kind) in found.items()]


_ABOVE = {
    "depends_on": "is needed first",
    "for_each": "is asked for each of its values",
    "references": "values are looked up in it",
}
_BELOW = {
    "depends_on": "needs this one first",
    "for_each": "asks for each value of this one",
    "references": "looks values up in this one",
}


def _told(
    node: dict[str, Any],
    steps: int,
    kind: str,
    used: dict[str, Any] | None,
    now: datetime,
    words: Words,
    links: Mapping[str, str],
) -> Neighbour:
    if node["kind"] == "sink":
        title = node["id"].partition(" -> ")[2]
        return Neighbour(plain(title), "", steps, "neutral", words("sink"), plain(node["provider"]))
    parts = [words(links.get(kind, kind))]
    if steps > 1:
        parts.append(words("{steps} steps away", steps=steps))
    if node["accepted_at"]:
        parts.append(words("accepted {when}", when=moment_words(node["accepted_at"], words, now)))
    if used is not None and not used["newest"]:
        parts.append(words("an older version of it was used"))
    status = node["status"] or "never ran"
    return Neighbour(plain(node["id"]), node["id"], steps, tone_of(status), words(status), " · ".join(parts))
