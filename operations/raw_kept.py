"""The raw answers that are kept of a dataset: what `run --from-raw` can take."""

from dataclasses import dataclass
from typing import Any

from integrated_system import IntegratedSystem
from utils.events import rfc3339

__all__ = ["RawKept", "raw_kept"]


@dataclass(frozen=True, slots=True)
class RawKept:
    """Runs whose answers are kept, newest first: run, when they came (RFC 3339), their size in bytes.

    `keeps`: for how long they are kept; "": the configuration keeps none (`keep_raw`).
    """

    dataset: str
    keeps: str
    runs: tuple[dict[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        return {"dataset": self.dataset, "keeps": self.keeps, "runs": list(self.runs)}


def raw_kept(system: IntegratedSystem, name: str) -> RawKept:
    """Which runs of a dataset can be replayed.

    Raises:
        ConfigError: no such dataset.
    """
    from operations.words import duration

    keep = system.settings.dataset(name).keep_raw
    runs = [
        {"run_id": one.run_id, "collected_at": rfc3339(one.collected_at), "size": one.size}
        for one in reversed(system.raw.captures(name))
    ]
    return RawKept(name, "" if not keep else duration(keep), tuple(runs))
