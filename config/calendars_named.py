"""Calendars named by schedules, promises and rules: each must be declared."""

from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches

from config.datasets import DatasetSettings
from config.errors import Fault, KeyPath, shown

__all__ = ["unknown_calendars"]

Found = tuple[KeyPath, ValueError, type | None]


def unknown_calendars(datasets: Iterable[DatasetSettings], known: Collection[str]) -> Iterator[Found]:
    """Each name of a calendar that is none, with the nearest that is."""
    for position, dataset in enumerate(datasets):
        here: KeyPath = ("datasets", position)
        for block in ("schedule", "promise"):
            name = getattr(getattr(dataset, block), "calendar", None)
            if name is not None and name not in known:
                yield (*here, block, "calendar"), _fault(name, known), None
        for rule in dataset.rules:
            if getattr(rule, "kind", "") in {"fresh", "changed"}:
                name = rule.params.get("calendar")
                if name is not None and name not in known:
                    yield (*here, "rules"), _fault(name, known, f"rule `{rule.id}`: "), None


def _fault(name: str, known: Collection[str], where: str = "") -> Fault:
    near = get_close_matches(name, known, n=1)
    suggestion = f"; did you mean `{near[0]}`?" if near else ""
    listed = f"Declared are: {', '.join(sorted(known)[:20])}." if known else "None is declared."
    return Fault(
        f"{where}{shown(name)} is no calendar{suggestion}", hint=f"{listed} Calendars stand under `calendars`."
    )
