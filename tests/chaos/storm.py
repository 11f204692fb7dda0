"""Children that use all that is shared, without an end: `storm.py CONFIG STATE` forks one for each seed it reads."""

import hashlib
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data_pipeline.collect.http import http  # noqa: F401 - so that the children need not import it
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.run import run
from tests.chaos.forking import fork_for_each_line

KEYS = 20
NAMES = ("steady", "metered", "flaky_0", "flaky_1", "flaky_2")


def value(key: str, stamp: int) -> dict[str, object]:
    """A value that says whether it is whole and belongs to its key; of 4 to 40 KB: some in a row, some in a file."""
    body = hashlib.sha256(f"{key}{stamp}".encode()).hexdigest() * (64 + stamp % 10 * 64)
    return {"key": key, "stamp": stamp, "body": body}


def wrong(system: IntegratedSystem) -> list[str]:
    """The keys whose value is not one that somebody set."""
    found = []
    for number in range(KEYS):
        key = f"storm/{number}"
        hit = system.cache.get(key)
        if hit is not None and hit.value != value(key, hit.value["stamp"]):
            found.append(key)
    return found


def storm(config: str, state: str, seed: int) -> None:
    """Runs, quotas, circuits, leases and the cache, until the end comes."""
    dice = random.Random(seed)
    with IntegratedSystem(Path(config), state_dir=Path(state), environ={}) as system:
        while True:
            chosen = dice.sample(NAMES, dice.randint(1, 3))
            run(system, Actor("storm"), chosen, fresh=True, workers=2)
            for _ in range(10):
                key, stamp = f"storm/{dice.randrange(KEYS)}", dice.randrange(1000)
                system.cache.set(key, value(key, stamp), ttl=60.0)
            assert not wrong(system), "a value of the cache is wrong"


def main(config: str, state: str) -> None:
    fork_for_each_line(lambda seed: storm(config, state, int(seed)))


if __name__ == "__main__":
    main(*sys.argv[1:])
