"""What a health check tells when it goes over into another state: one event for each change, none while it stays."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from monitoring.health import HealthResult, HealthResults

__all__ = ["SLOW_S", "HealthChange", "Standing", "What", "changes", "standing_of"]

What = Literal["unavailable", "slow", "recovered"]
"""What may become of a check."""

SLOW_S = 5.0
"""Seconds above which an answer is slow, though it is well."""


class Standing(NamedTuple):
    """The state of a check that was told last. `since`: RFC 3339; None: always."""

    state: Literal["well", "slow", "unavailable"] = "well"
    since: str | None = None


class HealthChange(NamedTuple):
    """What became of a check, its name, and what its event says of it."""

    what: What
    name: str
    data: dict[str, Any]


def changes(
    results: HealthResults, told: Mapping[str, Standing], *, slow_s: float = SLOW_S
) -> tuple[list[HealthChange], dict[str, Standing]]:
    """What has changed since it was told last, and what is told from now on.

    A failure that another check explains tells nothing; should it outlast that one, it is told then.

    Args:
        results: What was found just now, of some or all checks.
        told: How the checks stood that anything was told of.
        slow_s: Above so many seconds an answer is slow.
    """
    found: list[HealthChange] = []
    standing = dict(told)
    for name, result in results.items():
        before = standing.get(name, Standing())
        state = _state(result, slow_s)
        if result.explained_by is not None or state == before.state:
            continue
        at = result.checked_at
        if state == "unavailable":
            found.append(HealthChange("unavailable", name, _data(result, at)))
        elif before.state == "unavailable" or state == "well":
            found.append(HealthChange("recovered", name, {**_data(result, before.since), "was": before.state}))
        if state == "slow":
            found.append(HealthChange("slow", name, _data(result, at)))
        standing[name] = Standing(state, at)
    return found, standing


def _state(result: HealthResult, slow_s: float) -> Literal["well", "slow", "unavailable"]:
    if not result:
        return "unavailable"
    return "slow" if result.response_s is not None and result.response_s > slow_s else "well"


def _data(result: HealthResult, since: str | None) -> dict[str, Any]:
    return {"kind": result.kind, "reason": result.detail, "since": since, "response_s": result.response_s}


def standing_of(what: str, data: Mapping[str, Any]) -> Standing:
    """How a check stands of which that was told."""
    if what == "unavailable":
        return Standing("unavailable", data.get("since"))
    return Standing("slow", data.get("since")) if what == "slow" else Standing()
