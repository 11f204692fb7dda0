"""What every contender appends and announces, and how that is timed. Standard library only: the peers import it.

Events are of 100 subjects, 30 sources and 4 types, with 170 bytes of data.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

SUBJECTS, SOURCES = 100, 30
TYPES = ("dataset.collected", "dataset.scored", "dataset.stored", "batch.published")
HANDLERS = 100
SLICES = 6
WAITING = 16  # callers at once


def data(number: int) -> dict[str, Any]:
    return {
        "rows": 1234,
        "bytes": 56789 + number,
        "url": "https://example.org/data/v1/items?page=3",
        "etag": 'W/"abc123"',
        "duration_ms": 123.4,
        "attempt": 1,
        "status": "ok",
        "version": f"{number:032x}",
    }


def kind(number: int) -> str:
    return TYPES[number % len(TYPES)]


def subject(number: int) -> str:
    return f"dataset-{number % SUBJECTS}"


def source(number: int) -> str:
    return f"provider-{number % SOURCES}"


@dataclass
class Timed:
    """How long each of many goes took, in seconds; `cpu` is what all of them together took of it."""

    times: list[float] = field(default_factory=list)
    cpu: float = 0.0

    @property
    def per_second(self) -> float:
        return len(self.times) / sum(self.times)

    @property
    def cpu_us(self) -> float:
        """Of the processor, for each: on a busy machine it tells more than the clock."""
        return self.cpu / len(self.times) * 1e6

    def microseconds(self, share: float) -> float:
        """The time within which that share of the goes was done."""
        return sorted(self.times)[min(len(self.times) - 1, int(len(self.times) * share))] * 1e6


def one_by_one(functions: Mapping[str, Callable[[int], object]], seconds: float) -> dict[str, Timed]:
    """Call each with 0, 1, 2, …, in several turns that together last about `seconds` for each."""
    done = {name: Timed() for name in functions}
    clock = time.perf_counter
    for _ in range(SLICES):
        for name, function in functions.items():
            times = done[name].times
            now, number = clock(), len(times)
            used = time.process_time()
            end = now + seconds / SLICES
            while now < end:
                began = now
                function(number)
                number += 1
                now = clock()
                times.append(now - began)
            done[name].cpu += time.process_time() - used
    return done


def handler() -> Callable[[Any], None]:
    """It counts: the least that can be seen to have been done."""
    count = 0

    def count_it(_event: Any) -> None:
        nonlocal count
        count += 1

    return count_it


@dataclass(frozen=True)
class Announcement:
    """What goes over the bus."""

    type: str = "dataset.collected"
    number: int = 0


def announced(emit: Callable[[Announcement], object], seconds: float) -> Timed:
    """Emit again and again for `seconds`."""
    event, done, clock = Announcement(), Timed(), time.perf_counter
    now, used = clock(), time.process_time()
    end = now + seconds
    while now < end:
        began = now
        emit(event)
        now = clock()
        done.times.append(now - began)
    done.cpu = time.process_time() - used
    return done
