"""Breaker, limiter, request chain and cache, beside the libraries that do the same: what a call costs, what holds.

Ours and the peers each answer in a process of their own interpreter; both are started anew every round and are asked
for one group of figures in turn, so that noise meets all alike. diskcache is measured in our process, where it is a
library of ours: there with its own pickle. Times are medians over the rounds, counts the worst of all rounds.
"""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.comparison import Comparison, Figures, Target, compare, over_rounds
from benchmarks.contenders import in_turn
from benchmarks.machine import load, machine

TIMED = ("breakers", "chain", "limiter", "small", "redis", "frame")
OTHERS = ("waiting", "half-open", "failing", "excess", "cold-key")
OURS_ALONE = {"small", "redis", "frame", "excess", "cold-key"}  # groups that the peers' process does not have
SECONDS = 0.01  # a turn of a timed loop

TARGETS = (
    Target("breaker_success_ns", ">= 6 x faster than interlock-cb", 1 / 6, of="interlock-cb"),
    Target("breaker_success_ns", "<= 1.3 x circuitbreaker", 1.3, of="circuitbreaker"),
    Target("calls_8x5_ms", "<= 130", 130),
    Target("half_open_probes", "exactly 3", 3, 3),
    Target("calls_to_open", "at the minimum, 5", 5, 5),
    Target("chain_success_us", "<= 0.6 x tenacity", 0.6, of="tenacity"),
    Target("limiter_grant_ns", ">= 4 x faster than limits", 1 / 4, of="limits"),
    Target("limiter_excess_calls", "never above 0", 0),
    Target("cache_hit_1kb_us", "<= 1.3 x diskcache", 1.3, of="diskcache"),
    Target("table_stored_mb", "<= 20", 20),
    Target("frame_stored_mb", "<= 20", 20),
    Target("frame_set_ms", "<= 1.2 x diskcache", 1.2, of="diskcache"),
    Target("cold_key_computations", "1", 1, 1),
)


def measure(folder: Path, *, runs: int, short: bool) -> Comparison:
    """Run it in `folder`.

    `short`: a tenth of the time in loops, a frame of 5 MB, three rounds at most, what needs no loop in the first only.
    """
    before = load()
    about = machine(folder)
    seconds = SECONDS / 10 if short else SECONDS
    rounds = [
        (*TIMED, *OTHERS) if number == 0 or not short else TIMED for number in range(min(runs, 3) if short else runs)
    ]
    taken = in_turn("resilience", folder, rounds, seconds, OURS_ALONE)
    return compared(over_rounds(TARGETS, taken), about, (before, load()))


def compared(told: Mapping[str, Figures], about: Mapping[str, object], loads: tuple[float, float]) -> Comparison:
    """The result of what each contender's figures are: ours, the floor's, and everybody else's."""
    return compare("resilience", TARGETS, told, about, loads)
