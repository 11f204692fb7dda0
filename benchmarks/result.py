"""The form of every benchmark's result: JSON for machines, a table for people."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Figures = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Result:
    """Figures of ours, of the peers and of the floor, and their ratios; the unit is the end of a figure's name.

    Attributes:
        load: Of the machine, before and after.
        peers: A peer's name -> its figures; empty when its environment is not made (`make .peers/ready`).
        floor: The same work done by the least code that keeps its promise of durability.
        targets: Figure -> what it must reach, in words.
    """

    name: str
    machine: Mapping[str, Any]
    load: tuple[float, float]
    figures: Figures
    peers: Mapping[str, Figures]
    floor: Figures
    ratios: Figures
    targets: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def to_markdown(self) -> str:
        about = ", ".join(f"{name} {value}" for name, value in self.machine.items())
        lines = [f"## {self.name}", "", f"{about}; load {self.load[0]} to {self.load[1]}", ""]
        lines += ["| | figure | value | target |", "| --- | --- | ---: | --- |"]
        groups = {"ours": self.figures, **self.peers, "floor": self.floor, "ratio": self.ratios}
        for group, figures in groups.items():
            for name, value in figures.items():
                target = self.targets.get(name, "") if group in {"ours", "ratio"} else ""
                lines.append(f"| {group} | {name} | {shown(value)} | {target} |")
        return "\n".join(lines)


def rounded(figures: Figures) -> dict[str, float | None]:
    """Three figures that mean something after the first digit."""
    return {name: None if value is None else float(f"{value:.4g}") for name, value in figures.items()}


def ratio(ours: float | None, other: float | None) -> float | None:
    """How many times ours is of the other; None when one of the two was not measured."""
    return ours / other if ours is not None and other else None


def shown(value: float | None) -> str:
    """For people."""
    return "not measured" if value is None else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
