"""The log, the bus and the history of metrics, beside the libraries that do the same and the least that could.

Ours and the peers each answer in a process of their own interpreter; both are started anew every round and are asked
for one group of figures in turn, so that noise meets all alike. The floor runs in our process, in slices between ours.
Rates and times are medians over the rounds, counts the worst of all rounds.

A figure says how durable it is: what is named `power` is on the disk before the caller goes on (and is bound to
`flush_ms`, a write and flush of 4 KB in the same round), everything else survives any kill of the process. `cpu_us` is
what one event takes of the processor: on a busy machine it tells more than a rate does. What is named `at_4ms` ran on
this disk slowed down to flushes of 4 ms (`flush_at_4ms_ms` says what they took), for ours and for direct commit alike.
"""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.comparison import Comparison, Figures, Target, compare, over_rounds
from benchmarks.contenders import in_turn
from benchmarks.machine import load, machine

TIMED = ("append", "batch", "waiting", "bus")
OTHERS = ("last", "postgres", "history")
OURS_ALONE = {"waiting", "last", "postgres", "history"}  # groups that the peers' process does not have
SECONDS = 2.0  # of each loop

TARGETS = (
    Target("append_per_s", ">= 70 % of the bare loop", at_least=0.7, of="floor"),
    Target("append_per_s", ">= 10,000", at_least=10_000),
    Target("append_p99_us", "< 1,000", 1000),
    Target("batch_power_per_s", ">= 1.0 x eventsourcing", at_least=1.0, of="eventsourcing"),
    Target("waiting_16_power_at_4ms_per_s", ">= 8 x direct commit; needs a C compiler", at_least=8, of="direct"),
    Target("replay_per_s", ">= 2 x eventsourcing", at_least=2, of="eventsourcing"),
    Target("last_50_of_1m_us", "<= 150", 150),
    Target("last_50_of_1m_over_10k", "<= 1.5: independent of the length", 1.5),
    Target("bus_100_per_s", ">= 1.2 x psygnal", at_least=1.2, of="psygnal"),
    Target("bus_publish_us", "<= 1", 1),
    Target("bus_5000_p99_ms", "<= 5, with 100 handlers", 5),
    Target("bus_others_of_2", "2: one that fails hurts nobody", 2, 2),
    Target("postgres_16_per_s", ">= 5,000", at_least=5000),
    Target("postgres_gaps", "0", 0, 0),
    Target("postgres_broken_chains", "0", 0, 0),
    Target("history_insert_per_s", ">= 200,000", at_least=200_000),
    Target("history_read_1m_ms", "<= 150", 150),
)


def measure(folder: Path, *, runs: int, short: bool) -> Comparison:
    """Run it in `folder`.

    `short`: a tenth of the time in loops, a long log of 100,000 events, one round.
    """
    before = load()
    about = machine(folder)
    rounds = [(*TIMED, *OTHERS)] if short else [(*TIMED, *OTHERS) if number < 3 else TIMED for number in range(runs)]
    taken = in_turn("events", folder, rounds, SECONDS / 10 if short else SECONDS, OURS_ALONE)
    return compared(over_rounds(TARGETS, taken), about, (before, load()))


def compared(told: Mapping[str, Figures], about: Mapping[str, object], loads: tuple[float, float]) -> Comparison:
    """The result of what each contender's figures are: ours, the floor's, and everybody else's."""
    return compare("events", TARGETS, told, about, loads)
