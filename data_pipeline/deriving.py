"""Whether a derived dataset has to be made again: not while its inputs, its code and its configuration are the same."""

from collections.abc import Callable
from typing import Any

from config.datasets import DatasetSettings
from data_pipeline.collect.derived.derived import PROVIDER
from data_pipeline.dataset import MadeFrom, Provenance
from data_pipeline.store.upstreams import Needed
from data_pipeline.store.views import Version
from data_pipeline.user_function import code_of
from utils.clock import Clock

__all__ = ["up_to_date"]


def up_to_date(
    dataset: DatasetSettings,
    last_good: Version,
    needed: Needed,
    last_turn: Callable[[], dict[str, Any] | None],
    clock: Clock,
) -> Provenance | None:
    """What stands for making it, where that would give the rows that are there; None: it has to be made.

    Args:
        last_turn: Gives what came of the dataset when it last came to its turn: other inputs may have given the same
            rows, and then they are not those that its version was made from.
    """
    if last_good.body["fingerprint"] != dataset.fingerprint:
        return None
    function = dataset.collect.function
    made_from = MadeFrom(needed.versions, code_of(function))
    if not made_from.code or not _is_made_from(made_from, last_good, last_turn):
        return None
    return Provenance(
        provider=PROVIDER,
        collected_at=clock.now(),
        data_time=needed.as_of,
        attempts=0,
        unchanged=True,
        source=function,
        made_from=made_from,
    )


def _is_made_from(made_from: MadeFrom, version: Version, last_turn: Callable[[], dict[str, Any] | None]) -> bool:
    if MadeFrom.from_json(version.body) == made_from:
        return True
    turn = last_turn()
    same = turn is not None and turn["accepted"] and turn["version"] == version.version
    return turn is not None and same and MadeFrom.from_json(turn) == made_from
