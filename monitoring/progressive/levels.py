"""How closely the host is watched: four levels, each with the seconds between two samples and between two reports."""

from enum import StrEnum

__all__ = ["Level"]


class Level(StrEnum):
    """The levels in order, the calmest first. Each is its own name, so that it is written as it is."""

    IDLE = "IDLE"
    NORMAL = "NORMAL"
    INTENSIVE = "INTENSIVE"
    CRITICAL = "CRITICAL"

    @property
    def interval_s(self) -> float:
        """Seconds from one sample to the next."""
        return _SECONDS[self][0]

    @property
    def report_s(self) -> float:
        """Seconds from one report to the next."""
        return _SECONDS[self][1]

    @property
    def rank(self) -> int:
        """0 for the calmest."""
        return _ORDER.index(self)

    def calmer(self) -> "Level":
        """The level below; the lowest has none but itself."""
        return _ORDER[max(0, self.rank - 1)]

    @classmethod
    def highest(cls, *levels: "Level") -> "Level":
        """That which watches most closely."""
        return max(levels, key=lambda level: level.rank)


_SECONDS = {
    Level.IDLE: (30.0, 300.0),
    Level.NORMAL: (5.0, 60.0),
    Level.INTENSIVE: (1.0, 10.0),
    Level.CRITICAL: (0.5, 2.0),
}
_ORDER = tuple(Level)
