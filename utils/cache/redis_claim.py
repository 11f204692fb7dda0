"""The right to compute one key, over all processes and hosts that share a Redis."""

import secrets
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from utils.cache import redis_scripts as scripts
from utils.cache.redis_line import RedisLine

if TYPE_CHECKING:
    from redis import Redis

CLAIM_MS: Final = 5_000  # so long after its owner was killed a claim is free again
_BEAT_S: Final = CLAIM_MS / 1000 / 3


class RedisClaim:
    """A key in Redis with our token in it: renewed by a thread while we compute, deleted only while it is ours.

    A Redis that was away, or lost it by a restart, gets it anew from the next renewal, unless somebody was quicker.

    Args:
        name: Of the key in Redis.
        since: When it was asked for, seconds since the epoch.
    """

    def __init__(self, line: RedisLine, name: str, since: float) -> None:
        self.name = name
        self.since = since
        self.token = secrets.token_hex(16)
        self._line = line
        self.unrenewed = threading.Lock()  # held: no renewal changes the key meanwhile
        self._over = threading.Event()

    def take(self) -> bool:
        """Try once; `True` as well when Redis cannot be asked: then nobody else can be told either."""

        taken = self._run(scripts.CLAIM, missing=True)
        if taken:
            with suppress(RuntimeError):  # no thread to be had: then it ends by itself
                threading.Thread(target=self._keep, name="cache-claim", daemon=True).start()
        return taken

    def release(self) -> None:
        self._over.set()
        with self.unrenewed:  # no renewal may come after it
            self._run(scripts.RELEASE)

    def _keep(self) -> None:
        while not self._over.wait(_BEAT_S):
            with self.unrenewed:
                if not self._over.is_set():
                    self._run(scripts.RENEW)

    def _run(self, script: str, *, missing: bool = False) -> bool:
        def run(redis: "Redis") -> bool:
            return bool(redis.register_script(script)([self.name], [self.token, CLAIM_MS]))

        return self._line.ask(run, missing, write=True)
