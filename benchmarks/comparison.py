"""A result whose contenders all have the same figures: one row a figure, with what it must reach and whether it did."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.result import Figures, Result, ratio, shown


@dataclass(frozen=True, slots=True)
class Target:
    """What one of our figures must reach.

    Args:
        figure: Its name.
        words: For people.
        at_most: The largest value that will do.
        at_least: The smallest.
        of: A peer: then the target is for ours divided by the peer's.
    """

    figure: str
    words: str
    at_most: float
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
class Comparison(Result):
    """As `Result`; the groups share the names of their figures.

    Attributes:
        met: Target -> whether this run reached it; None: not measured.
    """

    met: Mapping[str, bool | None] = field(default_factory=dict)

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


def judge(target: Target, ours: Figures, peers: Mapping[str, Figures]) -> bool | None:
    """Whether the figures reach the target; None: not measured. A figure that is there without a value misses it."""
    if target.figure not in ours:
        return None
    if target.of is None:
        return bool(target.met_by(ours[target.figure]))
    return target.met_by(ratio(ours[target.figure], peers.get(target.of, {}).get(target.figure)))


_MET = {True: "met", False: "**missed**", None: "not measured"}


def _cell(figures: Figures, figure: str) -> str:
    if figure not in figures:
        return ""
    value = figures[figure]
    return "never" if value is None else shown(value)
