"""A process that works a backfill off and says each piece once it is in the log: `backfill_driver.py CONFIG STATE`.

It goes on with the backfill that is not over, else it begins one of all pieces of dataset `sales`.
"""

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data_pipeline.backfill.commit import Done
from data_pipeline.backfill.work import Limits
from data_pipeline.backfill_views import Backfills
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.backfill import go_on, start
from operations.backfill_plan import plan
from utils.resilience.cancellation import CancelToken

ACTOR = Actor("chaos")


def piece(partition: Any) -> list[dict[str, Any]]:
    """What the provider has of a day."""
    return [{"day": partition.key, "n": number} for number in range(partition.start.day % 3 + 1)]


def acknowledged(done: Done | str) -> None:
    """One whole line, at once and past all buffers."""
    if isinstance(done, Done):
        os.write(1, f"{done.state} {done.key}\n".encode())


def main(config: str, state: str) -> None:
    with IntegratedSystem(Path(config), state_dir=Path(state), environ={}) as system:
        waiting = Backfills(system.database).waiting()
        identity = waiting[0][0] if waiting else start(system, ACTOR, plan(system, "sales", end=os.environ["UNTIL"]))
        go_on(system, ACTOR, identity, cancel=CancelToken(), told=acknowledged, limits=Limits(pieces=4))


if __name__ == "__main__":
    main(*sys.argv[1:])
