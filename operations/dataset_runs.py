"""What came of one dataset in its runs, newest first; and its score with its parts over time."""

from dataclasses import dataclass
from typing import Any

from integrated_system import IntegratedSystem
from operations.moments import moment_of
from operations.past import views_at
from utils.events import rfc3339

__all__ = ["QualityHistory", "dataset_runs", "quality_history"]

_INNER = {"fence", "objective"}


@dataclass(frozen=True, slots=True)
class QualityHistory:
    """The scores of a dataset's batches, oldest first: time, run, score and its parts, 0..100, whether it was accepted.

    `cut`: there were more in the period; these are the last.
    """

    dataset: str
    points: tuple[dict[str, Any], ...]
    cut: bool

    def to_json(self) -> dict[str, Any]:
        return {"dataset": self.dataset, "points": list(self.points), "cut": self.cut}


def dataset_runs(
    system: IntegratedSystem, name: str, *, limit: int = 20, before: str | None = None, as_of: str | None = None
) -> list[dict[str, Any]]:
    """A dataset's runs as `run --json` tells them, each with its `time` and `run_id`; also of backfills.

    Args:
        before: Only runs older than this one, to go on where a list ended.
        as_of: Those that there were at a moment (RFC 3339).

    Raises:
        ConfigError: no such dataset.
        UsageError: the moment cannot be read, or has not come yet.
    """
    system.settings.dataset(name)
    views = views_at(system, as_of)
    found = views.runs_of(name, limit=limit, before=before)
    return [{key: value for key, value in run.items() if key not in _INNER} for run in found]


def quality_history(
    system: IntegratedSystem, name: str, *, since: str | None = None, as_of: str | None = None, limit: int = 300
) -> QualityHistory:
    """How a dataset's score and its parts went.

    Args:
        since: RFC 3339; default: from the beginning.
        limit: The last so many.

    Raises:
        ConfigError: no such dataset.
        UsageError: a moment cannot be read, or has not come yet.
    """
    system.settings.dataset(name)
    views = views_at(system, as_of)
    begin = "" if since is None else rfc3339(moment_of("since", since))
    runs = [run for run in views.runs_of(name, limit=limit + 1) if run["time"] >= begin]
    # The run that brought a batch that was held tells the score of what readers got in its place.
    held = [one for one in views.versions(name, limit=limit + 1) if not one.is_accepted and one.time >= begin]
    came = [(one.time, one.version, one.body["quality"], False) for one in held]
    there = {one.version for one in held}
    came += [
        (run["time"], run["run_id"], run["quality"], True)
        for run in runs
        if run["origin"] == "provider" and run["run_id"] not in there
    ]
    found = sorted(
        (
            {
                "time": time,
                "run_id": run_id,
                "score": quality["score"],
                "cap": (quality.get("cap") or {}).get("by"),
                "dimensions": quality["dimensions"],
                "accepted": accepted,
            }
            for time, run_id, quality, accepted in came
            if quality is not None and quality["score"] is not None
        ),
        key=lambda one: (one["time"], one["run_id"]),
    )
    return QualityHistory(name, tuple(found[-limit:]), len(found) > limit)
