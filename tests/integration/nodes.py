"""Datasets of a graph whose outcome a test sets: each is made of those before it, by a function of its own."""

from collections.abc import Callable
from typing import Any

OUTCOMES: dict[str, str] = {}
"""Dataset -> what comes of it: `good`, `held` (it breaks a critical rule), `fails`."""

CALLED: list[tuple[str, tuple[str, ...]]] = []
"""The datasets made, in that order, and the tables that each was given."""

MOST = 7


def _node(name: str) -> Callable[..., list[dict[str, Any]]]:
    def made(**tables: Any) -> list[dict[str, Any]]:
        CALLED.append((name, tuple(sorted(tables))))
        if OUTCOMES[name] == "fails":
            raise ValueError(f"{name} fails")
        return [{"value": -1 if OUTCOMES[name] == "held" else len(CALLED)}]

    return made


d0, d1, d2, d3, d4, d5, d6 = (_node(f"d{number}") for number in range(MOST))


def source() -> list[dict[str, Any]]:
    """What nothing is above of."""
    return [{"value": 1}]
