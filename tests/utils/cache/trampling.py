"""Four processes over one cache, killed with -9 again and again.

`python -m tests.utils.cache.trampling PATH KILLS SEED` prints `killed N` at the end, or what a process found wrong.
The processes are forked from this small one, which takes milliseconds; each says with a byte that it has done
something, so the kills fall into the middle of work.
"""

import hashlib
import os
import random
import signal
import sys
from pathlib import Path

import utils.cache.safe  # noqa: F401 - once here, not once in each of the forked
from utils.cache import DiskCache, Hit

LIMIT = 3 << 20  # small: room has to be made all the time
KEYS = [f"key-{number}" for number in range(40)]
SIZES = (10, 1_000, 20_000, 60_000, 200_000)  # in the row, and in files of their own


def content(key: str, number: int, size: int) -> bytes:
    """A value that says of itself whether it is whole, and whose it is."""
    start = f"{key}|{number}|{size}|".encode()
    pattern = hashlib.sha256(start).digest()
    return start + (pattern * (size // 32 + 1))[:size]


def is_right(key: str, hit: Hit) -> bool:
    name, number, size, _ = hit.value.split(b"|", 3)
    return bool(name == key.encode() and hit.value == content(key, int(number), int(size)))


def work(path: Path, seed: int, progress: int) -> None:
    """For ever; `.` after each step, `X` and an end when something is wrong."""
    rng = random.Random(seed)
    cache = DiskCache(path, size_limit=LIMIT, listener=lambda event, data: os.write(2, f"{event} {data}\n".encode()))
    number = seed << 32
    while True:
        number += 1
        key = rng.choice(KEYS)
        value = content(key, number, rng.choice(SIZES))
        match rng.randrange(12):
            case 0:
                cache.delete(key)
            case 1:
                cache.purge()
            case 2:
                cache.evict("odd")
            case 3 | 4:
                hit = cache.get_or_compute(key, lambda value=value: value, ttl=3600)
            case 5 | 6 | 7 | 8:
                cache.set(key, value, ttl=3600, tag="odd" if number % 2 else None)
        hit = cache.get(key)
        if hit is not None and not is_right(key, hit):
            os.write(progress, b"X")
            os._exit(3)
        os.write(progress, b".")


def main(path: Path, kills: int, seed: int) -> None:
    rng = random.Random(seed)
    reading, writing = os.pipe()
    workers: list[int] = []
    seen = bytearray()
    try:
        for number in range(kills + 4):
            worker = os.fork()
            if worker == 0:
                os.close(reading)
                try:
                    work(path, seed * 1000 + number, writing)
                finally:
                    os._exit(4)
            workers.append(worker)
            if len(workers) == 4:
                for _ in range(rng.randrange(1, 60)):
                    seen += os.read(reading, 1)
                victim = workers.pop(rng.randrange(4))
                os.kill(victim, signal.SIGKILL)
                _, status = os.waitpid(victim, 0)
                if os.WIFEXITED(status):
                    sys.exit(f"a process ended by itself with {os.WEXITSTATUS(status)}")
    finally:
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
            os.waitpid(worker, 0)
    if wrong := seen.replace(b".", b""):
        sys.exit(f"went wrong: {wrong!r}")
    print(f"killed {kills + 4}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
