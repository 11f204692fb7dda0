"""What the protector did, and why, for people; and the figures for programs."""

from typing import Any

from monitoring.protector.ladder import Action, Limits, Reading, Resource
from monitoring.protector.signals import Outcome

__all__ = ["told", "words_of"]

_DONE: dict[Action, str] = {
    "shed": "what can be had again was dropped",
    "lower": "{process} has the lowest priority now",
    "pause": "datasets of low priority wait",
    "terminate": "{process} was told to end",
    "kill": "{process} did not end in time and was killed",
}
_OUTCOMES: dict[Outcome, str] = {
    "gone": "it had ended before it was touched",
    "immune": "it was left alone: by then it was immune",
    "refused": "it did not end, or the system did not let us",
}


def told(seen: Reading) -> dict[str, Any]:
    """The figures of a look; percent."""
    return {
        "cpu_percent": seen.cpu,
        "memory_percent": seen.memory,
        "disk_percent": seen.disk,
        "pressure_cpu": seen.cpu_waits,
    }


def words_of(
    action: Action,
    resource: Resource,
    before: Reading,
    limits: Limits,
    *,
    process: str = "the process",
    outcome: Outcome | None = None,
    fell: bool | None = None,
) -> str:
    """One sentence: what was done at which figures; with an `outcome`, what came of it."""
    done = _DONE[action].format(process=process)
    value = before.of(resource)
    figures = f"{resource} at {value:.0f} % (limit {limits.of(resource):g} %)" if value is not None else resource
    if outcome is None:
        return f"{figures}: {done}"
    if outcome != "done":
        return f"{figures}: {done}; {_OUTCOMES[outcome]}"
    helped = {True: "it helped", False: "it did not help", None: "nobody can say whether it helped"}[fell]
    return f"{figures}: {done}; {helped}"
