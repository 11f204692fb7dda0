"""What only several processes can show: shared probes, a shared rate, one computation of a cold key.

The processes are this file, run as `python -m benchmarks.resilience_processes PROGRAM FOLDER ARGUMENT...`: each says
that it is ready, sets off together with the others when told to, and prints what it did as JSON.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.loops import Provider, Table, at_once, call
from benchmarks.measure import ROOT, environment
from benchmarks.rate_windows import largest_excess

if TYPE_CHECKING:
    from utils.redis_rates import RedisRates
    from utils.shared_rates import LeasedRates
    from utils.state import State

PROCESSES = 4
CALLERS = (13, 13, 12, 12)  # 50 in all
PERMITTED = 3
REST = 0.3  # seconds that a circuit stays open
RATE, BURST = 400.0, 40


def half_open(folder: Path) -> Table:
    """How many of 50 callers in 4 processes reach a provider that hangs, once its circuit's rest is over."""
    from utils.resilience import CircuitBreaker

    with TemporaryDirectory(dir=folder) as place:
        state = _state(Path(place))
        breaker = CircuitBreaker("ecb", open_for=REST, half_open_calls=PERMITTED, shared=state.verdicts)
        dead = breaker(Provider().answer)
        for _ in range(10):
            call(dead)
        if breaker.state != "open":
            raise RuntimeError("ten failures in a row did not open the circuit")
        reached = _together([("probe", place, callers) for callers in CALLERS], after=REST * 1.2)
    return {"half_open_probes": {"ours": sum(reached)}}


def _probe(folder: str, callers: str) -> int:
    from utils.resilience import CircuitBreaker

    breaker = CircuitBreaker("ecb", open_for=REST, half_open_calls=PERMITTED, shared=_state(Path(folder)).verdicts)
    provider = Provider(seconds=0.6)
    guarded = breaker(provider.answer)
    _wait_at_the_gate()
    at_once(guarded, int(callers))
    return provider.calls


def excess(folder: Path, seconds: float) -> Table:
    """What four processes were granted at one shared rate, beyond it and of it."""
    lasting = 1.5 if seconds >= 0.01 else 0.5
    with TemporaryDirectory(dir=folder) as place:
        rates(place)
        taken = _together([("take", place, lasting)] * PROCESSES)
    grants = [(before, after) for process in taken for before, after in process]
    length = max(after for _, after in grants) - min(before for before, _ in grants)
    return {
        "limiter_excess_calls": {"ours": largest_excess(grants, rate=RATE, burst=BURST)},
        "limiter_shared_use": {"ours": len(grants) / (BURST + RATE * length)},
    }


def _take(folder: str, seconds: str) -> list[tuple[float, float]]:
    from utils.resilience import RateLimiter

    limiter = RateLimiter("ecb", rate=RATE, burst=BURST, shared=rates(folder))
    grants = []
    _wait_at_the_gate()
    end = time.monotonic() + float(seconds)
    while (before := time.monotonic()) < end:  # this clock is one for all processes of the machine
        grant = limiter.acquire()
        after = time.monotonic()
        if grant:
            grants.append((before, after))
        else:
            time.sleep(min(grant.retry_after, 0.002))
    return grants


def cold_key(folder: Path) -> Table:
    """How often 8 threads in each of 2 processes compute one value that takes 300 ms and is not there yet."""
    computed: dict[str, float | None] = {}
    for who in ("ours", "diskcache"):
        with TemporaryDirectory(dir=folder) as place:
            _together([("compute", place, who)] * 2)
            computed[who] = (Path(place) / "computed").stat().st_size
    return {"cold_key_computations": computed}


def _compute(folder: str, who: str) -> None:
    def compute() -> str:
        with (Path(folder) / "computed").open("ab", buffering=0) as file:
            file.write(b".")
        time.sleep(0.3)
        return "computed"

    cached: Callable[[], str]
    if who == "ours":
        from utils.cache import DiskCache

        cached = DiskCache(Path(folder) / "cache", size_limit=2**30).cached(ttl=60, name="cold")(compute)
    else:
        import diskcache

        cached = diskcache.Cache(f"{folder}/diskcache").memoize(name="cold", expire=60)(compute)
    answers = []
    _wait_at_the_gate()
    at_once(lambda: answers.append(cached()), 8)
    if answers != ["computed"] * 8:
        raise RuntimeError(f"not everybody got the value: {answers}")


def rates(folder: str) -> "LeasedRates | RedisRates":
    """Where the processes of a state directory keep a rate together."""
    return _state(Path(folder)).rates


def _state(directory: Path) -> "State":
    from utils.clock import SYSTEM_CLOCK
    from utils.state import Kept, State

    def kept() -> Kept:
        return Kept(directory, (), (), "process", directory / "storage", 2**30)

    return State(kept, SYSTEM_CLOCK)


def _together(programs: list[tuple[Any, ...]], after: float = 0.0) -> list[Any]:
    """What the programs printed; they set off at the same moment, `after` seconds after the last was ready."""
    command = (sys.executable, "-m", "benchmarks.resilience_processes")
    processes = [
        subprocess.Popen(
            (*command, *map(str, program)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(),
        )
        for program in programs
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError(f"{programs[0][0]} did not start")
        threading.Event().wait(after)
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        told = [process.communicate(timeout=60)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    if any(process.returncode for process in processes):
        raise RuntimeError(f"{programs[0][0]} failed")
    return [json.loads(text) for text in told]


def _wait_at_the_gate() -> None:
    os.write(1, b"ready\n")
    sys.stdin.readline()


_PROGRAMS: dict[str, Callable[..., object]] = {"probe": _probe, "take": _take, "compute": _compute}

if __name__ == "__main__":
    print(json.dumps(_PROGRAMS[sys.argv[1]](*sys.argv[2:])))
