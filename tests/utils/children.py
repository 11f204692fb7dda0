"""Small programs that tests start as real processes: `python -m tests.utils.children NAME ARGUMENT...`.

Each prints what it has done, a line at a time, straight to the pipe: what was printed survives any kill.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def start(name: str, *arguments: object) -> "subprocess.Popen[str]":
    """Start a program of this file."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.utils.children", name, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def let_go(*waiting: "subprocess.Popen[str]") -> None:
    """Once all of them wait at their gate, open it: they set off at the same moment."""
    for child in waiting:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in waiting:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()


def finish(child: "subprocess.Popen[str]") -> list[str]:
    """Wait for a program; gives the lines it printed, and fails with its errors if it failed."""
    printed, errors = child.communicate(timeout=120)
    assert child.returncode == 0, errors
    return printed.split()


def _say(text: object) -> None:
    os.write(1, f"{text}\n".encode())


def _wait_at_the_gate() -> None:
    _say("ready")
    sys.stdin.readline()


def _append(address: str, name: str, appends: str) -> None:
    """Append (for ever when `appends` is 0), three events at a time; print each one acknowledged as `SEQ:ID`."""
    from tests.utils.events.counts import open_at
    from utils.events import EventStore, NewEvent

    store = EventStore(open_at(address))
    _wait_at_the_gate()
    number = 0
    while not int(appends) or number < int(appends):
        number += 1
        events = [NewEvent("thing.happened", f"{name}-{part}", {"number": number, "of": name}) for part in range(2)]
        for event in store.append([*events, NewEvent("thing.counted", "shared", {"by": name})]):
            _say(f"{event.seq}:{event.id}")
    store.close()


def _follow(address: str, name: str, most: str) -> None:
    """Follow a log for ever; print the position of each event that was handled. The handler of `most` never ends."""
    import threading

    from tests.utils.events.counts import open_at
    from utils.events import Event, EventStore
    from utils.events.follow import Consumer, Follower

    calls = 0

    def handle(event: Event) -> None:
        nonlocal calls
        calls += 1
        if calls == int(most):
            threading.Event().wait()
        _say(event.seq)

    _say("ready")
    Follower(EventStore(open_at(address))).add(Consumer(name=name, handler=handle, start="beginning"))
    sys.stdin.readline()


def _seal(address: str, folder: str) -> None:
    """Append, and seal all but the newest events, for ever; print how many were appended after each time."""
    from tests.utils.events.sealed import Log
    from utils.clock import SYSTEM_CLOCK

    log = Log(address, Path(folder), clock=SYSTEM_CLOCK)
    _wait_at_the_gate()
    while True:
        log.append(20)
        _say(log.store.head()[0])
        log.seal()


def _transact(address: str, coordination: str, folder: str, outcome: str) -> None:
    """Go on with a transaction of two files, and die by SIGKILL at each point that was not passed yet.

    With `failed` the second step fails, after it made its file. Prints how it ended.
    """
    import signal

    from tests.utils.events.counts import open_at
    from utils import leases
    from utils.events import EventStore
    from utils.leases import Leases
    from utils.sqlite import SqliteDatabase
    from utils.transaction_views import TransactionViews
    from utils.transactions import Plan, Step, Transactions

    place = Path(folder)
    passed = Path(f"{folder}.passed")
    passed.touch()

    def die_once(at: str) -> None:
        if at not in passed.read_text().split():
            with passed.open("a") as file:
                file.write(f"{at}\n")
            os.kill(os.getpid(), signal.SIGKILL)

    def step(name: str) -> Step:
        def do() -> None:
            die_once(f"before-{name}")
            (place / name).touch()
            die_once(f"after-{name}")
            if outcome == "failed" and name == "b":
                raise ValueError("not this one")

        def undo() -> None:
            die_once(f"before-undo-{name}")
            (place / name).unlink(missing_ok=True)
            die_once(f"after-undo-{name}")

        return Step(name=name, do=do, undo=undo)

    store = EventStore(open_at(address), projections=[TransactionViews()])
    held = Leases(SqliteDatabase(Path(coordination), migrations=[leases.SCHEMA, leases.BEAT_SCHEMA]))
    transactions = Transactions(store, held)
    transactions.register("files", lambda _: Plan(steps=[step(name) for name in "ab"]))
    _say(transactions.run("files", "two files").state)
    held.close()
    store.close()


def _open(path: str) -> None:
    """Open a database for the first time when told to."""
    from utils.events import SCHEMA
    from utils.sqlite import SqliteDatabase

    _wait_at_the_gate()
    SqliteDatabase(Path(path), migrations=[SCHEMA]).close()
    _say("opened")


def _open_replaceable(path: str) -> None:
    """Open a damaged database when told to; print how often it was set aside by this process."""
    from tests.utils.test_replaceable import SCHEMA
    from utils.damage import SetAside
    from utils.replaceable import ReplaceableDatabase

    told: list[SetAside] = []
    _wait_at_the_gate()
    ReplaceableDatabase(Path(path), migrations=SCHEMA, on_set_aside=told.append).close()
    _say(len(told))


def _keep_small_blobs(root: str) -> None:
    """Read and write small blobs once told to, with the file open from before; print how often it was set aside."""
    from utils.damage import SetAside
    from utils.storage import Storage

    told: list[SetAside] = []
    storage = Storage(Path(root), pack_below=16_384, on_set_aside=told.append)
    storage.read_bytes("by/parent")
    _wait_at_the_gate()
    storage.put_bytes("by/child", b"child")
    _say(len(told))
    _say(storage.read_bytes("by/parent").decode())
    storage.close()


def _hold(path: str, name: str) -> None:
    """Hold a lease until killed, or until told to end."""
    from utils.leases import BEAT_SCHEMA, SCHEMA, Leases
    from utils.sqlite import SqliteDatabase

    leases = Leases(SqliteDatabase(Path(path), migrations=[SCHEMA, BEAT_SCHEMA]))
    _say(leases.acquire([name], run="child")[name].fence)
    sys.stdin.readline()
    leases.close()


def _hold_afar(url: str, name: str) -> None:
    """The same in a PostgreSQL."""
    from utils.leases import Leases
    from utils.postgres import PostgresDatabase
    from utils.shared_tables import MIGRATIONS, PART

    leases = Leases(PostgresDatabase(url, migrations=MIGRATIONS, part=PART))
    _say(leases.acquire([name], run="child")[name].fence)
    sys.stdin.readline()
    leases.close()


def _measure(address: str, subject: str, points: str) -> None:
    """Append points to a subject's history, each in a commit of its own."""
    from tests.utils.history.tables import open_at
    from utils import events, history

    database = open_at(address)
    store = events.EventStore(database)
    _wait_at_the_gate()
    for number in range(int(points)):
        point = history.point(subject, float(number), {"pid": os.getpid(), "n": number})
        store.append([], statements=[point, *history.CLOSE])
    store.close()
    database.close()
    _say(os.getpid())


def _take_quota(path: str, limit: str, tries: str) -> None:
    """Take requests of a quota for a year; print how many were granted."""
    from utils.quotas import SCHEMA, CountedQuotas
    from utils.resilience.errors import RateLimitedError
    from utils.resilience.quota import Quota
    from utils.sqlite import SqliteDatabase

    quota = Quota(
        "ecb",
        limit=int(limit),
        per=400 * 365 * 86_400.0,
        shared=CountedQuotas(SqliteDatabase(Path(path), migrations=[SCHEMA])),
    )
    _wait_at_the_gate()
    granted = 0
    for _ in range(int(tries)):
        try:
            quota.take()
            granted += 1
        except RateLimitedError:
            continue
    _say(granted)


class _LastReading:
    """The system's clock; remembers what it told last. `ahead`: as if it was that of another machine."""

    def __init__(self, ahead: float = 0.0) -> None:
        from utils.clock import SYSTEM_CLOCK

        self._clock = SYSTEM_CLOCK
        self._ahead = ahead
        self.last = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._clock, name)

    def monotonic(self) -> float:
        self.last = self._clock.monotonic()
        return self.last + self._ahead


def _keep_to_rate(path: str, log: str, rate: str, burst: str, seconds: str) -> None:
    """Make calls at a shared rate, refused and waiting ones, for so long (0: until killed); log when each was granted.

    What is logged is the moment at which the limiter decided. After every tenth call a line is printed.
    """
    from contextlib import closing

    from utils.shared_rates import SCHEMA, LeasedRates
    from utils.sqlite import SqliteDatabase

    clock: Any = _LastReading()
    with closing(SqliteDatabase(Path(path), migrations=[SCHEMA])) as database:
        _call_at_rate(LeasedRates(database, clock=clock), clock, log, rate, burst, seconds)


def _keep_to_rate_afar(url: str, secret: str, log: str, rate: str, burst: str, seconds: str) -> None:
    """The same in a Redis, as if each process was on a machine of its own."""
    from contextlib import closing

    from utils.cache import redis_line
    from utils.redis_fields import RedisFields
    from utils.redis_rates import RedisRates

    redis_line.ANSWER_WITHIN_S = redis_line.CONNECT_WITHIN_S = 60.0  # type: ignore[misc]  # slow is not away
    clock: Any = _LastReading(ahead=os.getpid() * 1000.0)
    with closing(redis_line.RedisLine(url, clock=clock, unavailable=_say)) as line:
        fields = RedisFields(line, secret=secret, name="rates", clock=clock)
        fields.read("ecb")  # connected before the gate opens
        _call_at_rate(RedisRates(fields, clock=clock), clock, log, rate, burst, seconds)


def _call_at_rate(shared: Any, clock: Any, log: str, rate: str, burst: str, seconds: str) -> None:
    from utils.resilience.limiter import RateLimiter

    limiter = RateLimiter("ecb", rate=float(rate), burst=int(burst), shared=shared, clock=clock)
    written = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    _wait_at_the_gate()
    end = clock.monotonic() + (float(seconds) or 3600.0)
    made = tries = 0
    while clock.monotonic() < end:
        tries += 1
        if limiter.acquire(wait=tries % 1000 == 0):
            os.write(written, f"{clock.last!r}\n".encode())
            made += 1
            if made % 10 == 0 and not float(seconds):
                _say(made)
    os.close(written)
    _say(limiter.figures().shared_errors)


def _try_provider(path: str, callers: str) -> None:
    """Call an open circuit's provider with many threads at once; the calls end when told to, and end well.

    Prints `passed` or `refused` for each caller, then each transition that this process decided.
    """
    import threading
    from concurrent.futures import ThreadPoolExecutor

    from utils.resilience.breaker import CircuitBreaker, CircuitOpenError, Transition
    from utils.shared_verdicts import MIGRATIONS, SharedVerdicts
    from utils.sqlite import SqliteDatabase

    told, together, answer = list[Transition](), threading.Barrier(int(callers)), threading.Event()
    database = SqliteDatabase(Path(path), migrations=MIGRATIONS)
    breaker = CircuitBreaker("ecb", listener=told.append, shared=SharedVerdicts(database))

    def request() -> None:
        _say("passed")
        answer.wait()

    def caller() -> None:
        together.wait()
        try:
            breaker.call(request)
        except CircuitOpenError:
            _say("refused")

    _wait_at_the_gate()
    with ThreadPoolExecutor(int(callers)) as pool:
        calls = [pool.submit(caller) for _ in range(int(callers))]
        sys.stdin.readline()
        answer.set()
    for call in calls:
        call.result()
    for change in told:
        _say(f"{change.before}>{change.after}")
    database.close()


def _hold_token(state: str, name: str) -> None:
    """Hold the lock of a token until killed."""
    from tests.utils.token_store import opened

    with opened(Path(state)).lock(name):
        _say("held")
        sys.stdin.readline()


def _collect_with_token(url: str, token_url: str, state: str, client: str, secret: str) -> None:
    """Collect once with a refresh token that may be used once; print the size of what came."""
    from config.providers import OAuth2Auth, ProviderSettings
    from data_pipeline.collect.http.http import HttpCollector, Options
    from tests.data_pipeline.collect.requests import make_request
    from tests.utils.token_store import opened

    folder = Path(state)
    auth = OAuth2Auth(
        kind="oauth2", token_url=token_url, client_id=client, client_secret=secret, refresh_token="refresh-0"
    )
    settings = ProviderSettings(auth=auth)
    request = make_request(
        Options(url=url), folder / "spool", provider="partner", settings=settings, tokens=opened(folder)
    )
    collector = HttpCollector()
    _wait_at_the_gate()
    _say(collector.collect(request).payloads[0].size)
    collector.close()


def _redis_flight(url: str, secret: str, threads: str) -> None:
    """Ask a cache in Redis for a cold key from many threads; print each computation and each right answer."""
    import threading

    from utils.cache.redis import RedisCache

    cache = RedisCache(url, secret=secret, size_limit=2**20)
    cache.get("warm")
    slow = threading.Event()

    def compute() -> dict[str, int]:
        _say("computed")
        slow.wait(0.1)
        return {"a": 1}

    def ask() -> None:
        if cache.get_or_compute("cold", compute, ttl=60).value == {"a": 1}:
            _say("answer")

    asking = [threading.Thread(target=ask) for _ in range(int(threads))]
    _wait_at_the_gate()
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    cache.close()


def _redis_hold(url: str, secret: str) -> None:
    """Compute a key of a cache in Redis until killed."""
    from utils.cache.redis import RedisCache

    def compute() -> str:
        _say("computing")
        return sys.stdin.readline()

    RedisCache(url, secret=secret, size_limit=2**20).get_or_compute("key", compute, ttl=60)


def _prepare_as_nobody(path: str) -> None:
    """Prepare a state directory as a user who owns nothing; print what came of it."""
    from utils.database import StateError
    from utils.sqlite import prepare_directory

    if os.geteuid() == 0:  # to root every directory is writable
        os.setgroups([])
        os.setresuid(65534, 65534, 65534)
    try:
        prepare_directory(Path(path))
    except StateError as error:
        print(error, "|", error.hint)


def _link_and_wait(path: str) -> None:
    """Give an old log its links, but never commit; say `linked` when all is written."""
    import sqlite3

    from tests.utils.events.test_linked import NOW

    connection = sqlite3.connect(path)
    connection.execute("PRAGMA cache_size = 10")  # so that most of it is in the file by then
    connection.executescript(f"BEGIN; {NOW[-1]}; PRAGMA user_version = {len(NOW)}")
    _say("linked")
    sys.stdin.readline()


_PROGRAMS: dict[str, Callable[..., None]] = {
    "append": _append,
    "link-and-wait": _link_and_wait,
    "follow": _follow,
    "seal": _seal,
    "transact": _transact,
    "open": _open,
    "open-replaceable": _open_replaceable,
    "keep-small-blobs": _keep_small_blobs,
    "hold": _hold,
    "hold-afar": _hold_afar,
    "measure": _measure,
    "take-quota": _take_quota,
    "keep-to-rate": _keep_to_rate,
    "keep-to-rate-afar": _keep_to_rate_afar,
    "try-provider": _try_provider,
    "hold-token": _hold_token,
    "collect-with-token": _collect_with_token,
    "redis-flight": _redis_flight,
    "redis-hold": _redis_hold,
    "prepare-as-nobody": _prepare_as_nobody,
}

if __name__ == "__main__":
    _PROGRAMS[sys.argv[1]](*sys.argv[2:])
