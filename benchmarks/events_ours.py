"""Our log, bus and history, and the least that could do their work: one contender of `events.py`.

Run as a program (`python -m benchmarks.events_ours FOLDER`); answers as `benchmarks.loops.serve` says.
"""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import events_history, events_postgres
from benchmarks.events_floor import BareTable
from benchmarks.events_log import appending, event, log
from benchmarks.events_waiting import waiting
from benchmarks.events_workload import (
    HANDLERS,
    Announcement,
    Timed,
    announced,
    handler,
    one_by_one,
    source,
)
from benchmarks.loops import Table, Value, serve
from utils.bus import Bus
from utils.database import Durability
from utils.events import EventStore

DURABILITIES: tuple[Durability, ...] = ("process", "power")
SUFFIX = {"process": "", "power": "_power"}
LONG, LITTLE = 1_000_000, 10_000
"""Events of the logs that are asked for the last 50 of a source."""


def append(folder: Path, seconds: float) -> Table:
    """One caller, one event a commit."""
    told: Table = {}
    with TemporaryDirectory(dir=folder) as place, ExitStack() as opened:
        for durability in DURABILITIES:
            name = f"append{SUFFIX[durability]}"
            ours = opened.enter_context(log(Path(place) / f"{name}.db", durability))
            floor = opened.enter_context(closing(BareTable(Path(place) / f"{name}-floor.db", durability)))
            done = one_by_one({"ours": appending(ours), "floor": floor.append}, seconds)
            told[f"{name}_per_s"] = {who: timed.per_second for who, timed in done.items()}
            told[f"{name}_cpu_us"] = {who: timed.cpu_us for who, timed in done.items()}
            told[f"{name}_p50_us"] = {who: timed.microseconds(0.5) for who, timed in done.items()}
            told[f"{name}_p99_us"] = {who: timed.microseconds(0.99) for who, timed in done.items()}
    return told


def batch(folder: Path, seconds: float) -> Table:
    """A thousand a commit, with the chain; then all read again in pages of a thousand, with their data decoded."""
    told: Table = {}
    with TemporaryDirectory(dir=folder) as place, ExitStack() as opened:
        for durability in DURABILITIES:
            name = f"batch{SUFFIX[durability]}"
            ours = opened.enter_context(log(Path(place) / f"{name}.db", durability))
            floor = opened.enter_context(closing(BareTable(Path(place) / f"{name}-floor.db", durability)))
            done = one_by_one({"ours": _thousands(ours), "floor": floor.thousand}, seconds)
            told[f"{name}_per_s"] = {who: timed.per_second * 1000 for who, timed in done.items()}
            told[f"{name}_cpu_us"] = {who: timed.cpu_us / 1000 for who, timed in done.items()}
        began = _now()
        count = sum(map(len, ours.replay()))
        between = _now()
        bare = floor.replay()
        end = _now()
        told["replay_per_s"] = {"ours": count / (between[0] - began[0]), "floor": bare / (end[0] - between[0])}
        told["replay_cpu_us"] = {
            "ours": (between[1] - began[1]) / count * 1e6,
            "floor": (end[1] - between[1]) / bare * 1e6,
        }
        if (count, bare) != (len(done["ours"].times) * 1000, len(done["floor"].times) * 1000):
            raise RuntimeError("not all events came back")
        found = ours.verify()
        if found.fault is not None or found.events != count:
            raise RuntimeError(f"the chain is not whole: {found}")
    return told


def _now() -> tuple[float, float]:
    """By the clock, and of the processor."""
    return time.perf_counter(), time.process_time()


def _thousands(store: EventStore) -> Callable[[int], object]:
    return lambda number: store.append([event(one) for one in range(number * 1000, number * 1000 + 1000)])


def last(folder: Path, seconds: float) -> Table:
    """The last 50 of a source, from a long log and from a little one."""
    short = seconds < 1
    with TemporaryDirectory(dir=folder) as place, ExitStack() as opened:
        functions: dict[str, Callable[[int], object]] = {}
        for name, length in (("last_50_of_1m_us", LONG // 10 if short else LONG), ("last_50_of_10k_us", LITTLE)):
            store = opened.enter_context(log(Path(place) / f"{name}.db"))
            for number in range(length // 1000):
                _thousands(store)(number)
            functions[name] = _last_of(store)
        done = one_by_one(functions, seconds)
    told: dict[str, Value] = {name: timed.microseconds(0.5) for name, timed in done.items()}
    long, little = done["last_50_of_1m_us"], done["last_50_of_10k_us"]
    told["last_50_p99_us"] = long.microseconds(0.99)
    told["last_50_of_1m_over_10k"] = long.microseconds(0.5) / little.microseconds(0.5)
    return {name: {"ours": value} for name, value in told.items()}


def _last_of(store: EventStore) -> Callable[[int], object]:
    def ask(number: int) -> None:
        found = store.read(source=source(number), newest_first=True, limit=50)
        if len(found) != 50:
            raise RuntimeError(f"{len(found)} events instead of 50")

    return ask


def bus(seconds: float) -> Table:
    """A hundred handlers behind a wildcard; the floor is a dict of lists whose functions the publisher calls."""
    told: Table = {"bus_publish_us": {}, "bus_publish_p99_us": {}}
    for count in (HANDLERS, 1):
        one = Bus()
        for _ in range(count):
            one.subscribe("dataset.*", handler())
        began = _now()
        published = announced(one.publish, seconds)
        if not one.close(60):
            raise RuntimeError("the handlers did not come to an end")
        end = _now()
        if one.figures().delivered != len(published.times) * count:
            raise RuntimeError(f"not all was delivered: {one.figures()}")
        handlers = {Announcement.type: [handler() for _ in range(count)]}
        floor = announced(_in_place(handlers), seconds)
        told[f"bus_{count}_per_s"] = {
            "ours": len(published.times) / (end[0] - began[0]),
            "floor": floor.per_second,
        }
        told[f"bus_{count}_cpu_us"] = {
            "ours": (end[1] - began[1]) / len(published.times) * 1e6,
            "floor": floor.cpu_us,
        }
        if count == HANDLERS:
            told["bus_publish_us"]["ours"] = published.microseconds(0.5)
            told["bus_publish_p99_us"]["ours"] = published.microseconds(0.99)
    told["bus_others_of_2"] = {"ours": _others()}
    told["bus_5000_p99_ms"] = {"ours": _paced(seconds).microseconds(0.99) / 1000}
    return told


def _paced(seconds: float) -> Timed:
    """5,000 events a second: the time of each from its publishing until the last of 100 handlers has had it."""
    done = Timed()
    one = Bus()
    for _ in range(HANDLERS - 1):
        one.subscribe("dataset.*", handler())
    one.subscribe("dataset.*", lambda event: done.times.append(time.perf_counter() - event.number / 1e9))
    began = time.perf_counter()
    for number in range(int(5000 * seconds)):
        time.sleep(max(0.0, began + number / 5000 - time.perf_counter()))
        one.publish(Announcement(number=time.perf_counter_ns()))
    one.close(60)
    return done


def _in_place(handlers: dict[str, list[Callable[[object], None]]]) -> Callable[[Announcement], None]:
    def publish(event: Announcement) -> None:
        for function in handlers.get(event.type, ()):
            function(event)

    return publish


def _others() -> int:
    """How many of two healthy handlers heard an event when a third one raised."""
    heard = set()

    def failing(_event: Announcement) -> None:
        raise ValueError

    one = Bus()
    for function in (lambda _event: heard.add(1), failing, lambda _event: heard.add(2)):
        one.subscribe("**", function)
    one.publish(Announcement())
    one.close()
    return len(heard)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    serve(
        {
            "append": lambda seconds: append(folder, seconds),
            "batch": lambda seconds: batch(folder, seconds),
            "waiting": lambda seconds: waiting(folder, seconds),
            "last": lambda seconds: last(folder, seconds),
            "bus": bus,
            "history": lambda seconds: events_history.points(folder, seconds),
            "postgres": lambda seconds: events_postgres.processes(folder, seconds),
        }
    )
