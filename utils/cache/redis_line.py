"""The line to one Redis: opened when it is first needed, quick to give up, and open again by itself.

An outage must not cost its time-out on every call. After a failure the line is shut for a second, or for ten times as
long as the failed try took (ten seconds at most); then one caller tries, while the others go without.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

from utils.clock import Clock

if TYPE_CHECKING:
    import redis

T = TypeVar("T")

CONNECT_WITHIN_S: Final = 0.5
ANSWER_WITHIN_S: Final = 0.5
LONG_ANSWER_WITHIN_S: Final = 10.0  # of thousands of commands that Redis takes as one
SHUT_S: Final = 1.0
LONGEST_SHUT_S: Final = 10.0
SHUT_TIMES: Final = 10.0  # so an outage takes a tenth of anybody's time at most
_NO_DATABASE: Final = "DB index"  # how the refusal begins that comes with every connection
_PIECE: Final = 1 << 20  # bytes sent under one time-out: a large value on a slow line is no outage


class _Gate:
    """Whether to try at all."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._shut_until = 0.0
        self.trouble = ""  # why the last try failed

    def passes(self) -> bool:
        if not self.trouble:
            return True
        with self._lock:
            now = self._clock.monotonic()
            if now < self._shut_until:
                return False
            self._shut_until = now + SHUT_S  # whoever comes while we try goes without
            return True

    def worked(self) -> None:
        self.trouble = ""

    def failed(self, took: float, why: str) -> bool:
        """Shut it; whether it was open before."""
        with self._lock:
            self._shut_until = self._clock.monotonic() + min(max(SHUT_S, SHUT_TIMES * took), LONGEST_SHUT_S)
            first = not self.trouble
            self.trouble = why or "no answer"
            return first


class RedisLine:
    """Asks one Redis, and gives "nothing there" for an answer while it cannot be asked. Safe for threads and forks.

    Args:
        url: `redis://`, `rediss://` or `unix://`, as the library reads it.
        clock: For the time that the line stays shut.
        unavailable: Told why, without secrets, once until it works again.
    """

    def __init__(self, url: str, *, clock: Clock, unavailable: Callable[[str], None]) -> None:
        self._url = url
        self._clock = clock
        self._unavailable = unavailable
        self._server = _Gate(clock)
        # What answers and refuses: a full Redis and a replica can still be read.
        self._refusals = {write: _Gate(clock) for write in (False, True)}
        self._lock = threading.Lock()
        self._clients: dict[float, redis.Redis] = {}  # by the seconds they wait for an answer

    def ask(self, action: "Callable[[redis.Redis], T]", missing: T, *, write: bool = False, long: bool = False) -> T:
        """What `action` gives, or `missing` when there is no Redis to be had, or it refuses.

        Args:
            write: Redis may refuse this and still answer lookups.
            long: Thousands of commands that Redis takes as one: it may think a while before it answers.
        """
        within = LONG_ANSWER_WITHIN_S if long else ANSWER_WITHIN_S
        refusals = self._refusals[write]
        if not (refusals.passes() and self._server.passes()):
            return missing
        started = self._clock.monotonic()
        try:
            result = action(self._opened(within))
        except Exception as error:  # noqa: BLE001 - what is no Redis makes the library fail in any way there is
            import redis

            gate = self._server
            if isinstance(error, redis.ResponseError) and not str(error).startswith(_NO_DATABASE):
                self._server.worked()
                gate = refusals
            why = self._redacted(_reason(error, within))
            if gate.failed(self._clock.monotonic() - started, why):
                self._unavailable(why)
            return missing
        self._server.worked()
        refusals.worked()
        return result

    def trouble(self, *, write: bool) -> str:
        """Why the last such question got no answer; "" when it got one."""
        return self._server.trouble or self._refusals[write].trouble

    def close(self) -> None:
        """Close the connections; the next use opens them again."""
        with self._lock:
            clients, self._clients = self._clients, {}
        for client in clients.values():
            client.close()

    def _redacted(self, text: str) -> str:
        """Without user and password: what answers may repeat to us what we sent."""
        from utils.redaction import Redactor

        parts = urlsplit(self._url)
        secrets = [unquote(part) for part in (parts.password, parts.username) if part]
        return Redactor(secrets=lambda: secrets).text(text)

    def _opened(self, within: float) -> "redis.Redis":
        if (client := self._clients.get(within)) is not None:
            return client
        made = _open(self._url, within)  # not under the lock: the import is slow, and a fork meanwhile would keep it
        with self._lock:
            return self._clients.setdefault(within, made)


def namespace(secret: str) -> str:
    """How the names of all keys begin that belong to who knows the secret."""
    return f"orchestrator:{hashlib.blake2b(secret.encode(), digest_size=16, person=b'names').hexdigest()}"


def shown(url: str) -> str:
    """The address without user, password and options."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _open(url: str, within: float) -> "redis.Redis":
    import redis
    from redis.backoff import NoBackoff
    from redis.connection import PythonRespSerializer
    from redis.retry import Retry

    class InPieces(PythonRespSerializer):
        """The library gives `sendall` a value as one piece, and its time-out is for the whole of it."""

        def pack(self, *args: Any) -> "list[Any]":
            packed = super().pack(*args)  # type: ignore[no-untyped-call]  # the library types it not
            return [piece for part in packed for piece in _pieces(part)]

    return redis.Redis.from_url(
        url,
        socket_connect_timeout=CONNECT_WITHIN_S,
        socket_timeout=within,
        # Once more, at once: a connection of before the server's restart fails, a new one does not.
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
        protocol=2,
        max_connections=4096,  # the library's 100 are fewer than the threads we may have
        command_packer=InPieces(6000, _as_bytes),
    )


def _as_bytes(word: object) -> bytes:
    return word if isinstance(word, bytes) else str(word).encode()


def _pieces(part: Any) -> Iterator[Any]:
    if len(part) <= _PIECE:
        yield part
        return
    view = memoryview(part)
    for start in range(0, len(view), _PIECE):
        yield view[start : start + _PIECE]


def _reason(error: Exception, within: float) -> str:
    """Why there is no cache, in words; the library's own where they help."""
    from redis import exceptions as redis

    said = " ".join(str(error).split())[:200]
    for kind, words in (
        (redis.AuthenticationError, "the user or the password is wrong, or missing"),
        (redis.NoPermissionError, f"this user may not do that ({said})"),
        (redis.ReadOnlyError, "it is a replica that only reads"),
        (redis.OutOfMemoryError, "its memory is full (maxmemory) and its policy does not evict"),
        (redis.BusyLoadingError, "it is still loading its data"),
        (redis.TimeoutError, f"no answer within {within:g} s"),
        (redis.ResponseError if said.startswith(_NO_DATABASE) else (), f"there is no such database ({said})"),
        (redis.AskError, "it is a Redis Cluster, which is not supported"),
        (redis.ResponseError, f"it refused: {said}"),
        (redis.InvalidResponse, "what answers there is no Redis"),
        (redis.ConnectionError, said),
        (redis.RedisError, said),
        (OSError, said),
    ):
        if isinstance(error, kind):
            return words
    return f"what answers there is no Redis ({type(error).__name__})"
