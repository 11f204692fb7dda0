"""The result of a benchmark, JSON for machines and a table for people: one row a figure, with what it must reach."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.loops import Value

Figures = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Target:
    """What one of our figures must reach.

    Args:
        figure: Its name.
        words: For people.
        at_most: The largest value that will do.
        at_least: The smallest.
        of: A peer, or `floor`: then the target is for ours divided by theirs.
    """

    figure: str
    words: str
    at_most: float = float("inf")
    at_least: float = float("-inf")
    of: str | None = None

    @property
    def name(self) -> str:
        """As `ratios`, `targets` and `met` call it."""
        return self.figure if self.of is None else f"{self.figure} / {self.of}"

    def met_by(self, value: float | None) -> bool | None:
        """None: the figure, or the peer's, was not measured."""
        return None if value is None else self.at_least <= value <= self.at_most


@dataclass(frozen=True, slots=True)
class Comparison:
    """Figures of ours, of the peers and of the floor, and their ratios; the unit is the end of a figure's name.

    Attributes:
        load: Of the machine, before and after.
        peers: A peer's name -> its figures; empty when its environment is not made (`make .peers/ready`).
        floor: The same work done by the least code that keeps its promise of durability.
        ratios: `FIGURE / PEER` -> ours divided by theirs.
        targets: Figure, or `FIGURE / PEER` -> what it must reach, in words.
        met: Target -> whether this run reached it; None: not measured.
    """

    name: str
    machine: Mapping[str, Any]
    load: tuple[float, float]
    figures: Figures
    peers: Mapping[str, Figures]
    floor: Figures
    ratios: Figures
    targets: Mapping[str, str]
    met: Mapping[str, bool | None]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def to_markdown(self) -> str:
        about = ", ".join(f"{name} {value}" for name, value in self.machine.items())
        lines = [f"## {self.name}", "", f"{about}; load {self.load[0]} to {self.load[1]}", ""]
        lines += [
            "| figure | ours | peers | floor | ratio | target | |",
            "| --- | ---: | --- | ---: | --- | --- | --- |",
        ]
        groups = (self.figures, *self.peers.values(), self.floor)
        for figure in dict.fromkeys(name for group in groups for name in group):
            peers = (f"{peer} {_cell(group, figure)}" for peer, group in self.peers.items() if figure in group)
            wanted = [name for name in self.targets if name.partition(" / ")[0] == figure]
            cells = (
                figure,
                _cell(self.figures, figure),
                "; ".join(peers),
                _cell(self.floor, figure),
                "; ".join(f"{shown(self.ratios[name])} of {name.partition(' / ')[2]}" for name in self._ratios(figure)),
                "; ".join(self.targets[name] for name in wanted),
                "; ".join(_MET[self.met[name]] for name in wanted),
            )
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines)

    def _ratios(self, figure: str) -> list[str]:
        return [name for name in self.ratios if name.startswith(f"{figure} / ")]


def over_rounds(targets: Sequence[Target], taken: Mapping[str, Mapping[str, list[Value]]]) -> dict[str, Figures]:
    """Contender -> figure -> one value for those of all rounds.

    The median; of a figure that has one right value, the one furthest from it; of one that must not exceed 0, the
    largest. None when it did not happen in one round at least.
    """
    bounds = {target.figure: target for target in targets}
    return {
        who: {figure: _over_rounds(bounds.get(figure), values) for figure, values in figures.items()}
        for who, figures in taken.items()
    }


def _over_rounds(target: Target | None, values: list[Value]) -> Value:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    if target is not None and target.at_least == target.at_most:
        return max(known, key=lambda value: abs(value - target.at_most))
    return max(known) if target is not None and target.at_most == 0 else statistics.median(known)


def compare(
    name: str,
    targets: Sequence[Target],
    told: Mapping[str, Figures],
    about: Mapping[str, object],
    loads: tuple[float, float],
) -> Comparison:
    """The result of what each contender's figures are: `ours`, the `floor`'s, and everybody else's.

    A figure that has one right value has no ratio; one to the floor is told where a target asks for it.
    """
    peers = {who: rounded(figures) for who, figures in told.items()}
    ours, floor = peers.pop("ours", {}), peers.pop("floor", {})
    exact = {target.figure for target in targets if target.at_least == target.at_most}
    of_floor = {target.figure: floor.get(target.figure) for target in targets if target.of == "floor"}
    ratios = {
        f"{figure} / {other}": ratio(ours.get(figure), value)
        for other, figures in {**peers, "floor": of_floor}.items()
        for figure, value in figures.items()
        if figure in ours and figure not in exact
    }
    return Comparison(
        name=name,
        machine=about,
        load=loads,
        figures=ours,
        peers=peers,
        floor=floor,
        ratios=rounded(ratios),
        targets={target.name: target.words for target in targets},
        met={target.name: judge(target, ours, told) for target in targets},
    )


def judge(target: Target, ours: Figures, others: Mapping[str, Figures]) -> bool | None:
    """Whether the figures reach the target; None: not measured. A figure that is there without a value misses it."""
    if target.figure not in ours:
        return None
    if target.of is None:
        return bool(target.met_by(ours[target.figure]))
    return target.met_by(ratio(ours[target.figure], others.get(target.of, {}).get(target.figure)))


def rounded(figures: Figures) -> dict[str, float | None]:
    """Three figures that mean something after the first digit."""
    return {name: None if value is None else float(f"{value:.4g}") for name, value in figures.items()}


def ratio(ours: float | None, other: float | None) -> float | None:
    """How many times ours is of the other; None when one of the two was not measured."""
    return ours / other if ours is not None and other else None


def shown(value: float | None) -> str:
    """For people."""
    return "not measured" if value is None else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


_MET = {True: "met", False: "**missed**", None: "not measured"}


def _cell(figures: Figures, figure: str) -> str:
    if figure not in figures:
        return ""
    value = figures[figure]
    return "never" if value is None else shown(value)
