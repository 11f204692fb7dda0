"""Small programs that tests start as real processes: `python -m tests.utils.children NAME ARGUMENT...`.

Each prints what it has done, a line at a time, straight to the pipe: what was printed survives any kill.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

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
    printed, errors = child.communicate(timeout=60)
    assert child.returncode == 0, errors
    return printed.split()


def _say(text: object) -> None:
    os.write(1, f"{text}\n".encode())


def _wait_at_the_gate() -> None:
    _say("ready")
    sys.stdin.readline()


def _append(path: str, name: str, appends: str) -> None:
    """Append (for ever when `appends` is 0), three events at a time; print each one acknowledged as `SEQ:ID`."""
    from utils.database import Database
    from utils.events import SCHEMA, EventStore, NewEvent

    store = EventStore(Database(Path(path), migrations=[SCHEMA]))
    _wait_at_the_gate()
    number = 0
    while not int(appends) or number < int(appends):
        number += 1
        events = [NewEvent("thing.happened", f"{name}-{part}", {"number": number, "of": name}) for part in range(2)]
        for event in store.append([*events, NewEvent("thing.counted", "shared", {"by": name})]).result():
            _say(f"{event.seq}:{event.id}")
    store.close()


def _open(path: str) -> None:
    """Open a database for the first time when told to."""
    from utils.database import Database
    from utils.events import SCHEMA

    _wait_at_the_gate()
    Database(Path(path), migrations=[SCHEMA]).close()
    _say("opened")


def _hold(path: str, name: str) -> None:
    """Hold a lease until killed, or until told to end."""
    from utils.database import Database
    from utils.leases import SCHEMA, Leases

    leases = Leases(Database(Path(path), migrations=[SCHEMA]))
    _say(leases.acquire([name], run="child")[name].fence)
    sys.stdin.readline()
    leases.close()


def _measure(path: str, subject: str, points: str) -> None:
    """Append points to a subject's history, each in a commit of its own."""
    from utils import events, history
    from utils.database import Database

    store = events.EventStore(Database(Path(path), migrations=[";".join((events.SCHEMA, history.SCHEMA))]))
    _wait_at_the_gate()
    for number in range(int(points)):
        store.append([], statements=[history.point(subject, float(number), {"pid": os.getpid(), "n": number})]).result()
    store.close()
    _say(os.getpid())


def _take_quota(path: str, limit: str, tries: str) -> None:
    """Take requests of a quota for a year; print how many were granted."""
    from utils.database import Database
    from utils.quotas import SCHEMA, CountedQuotas
    from utils.resilience.errors import RateLimitedError
    from utils.resilience.quota import Quota

    quota = Quota(
        "ecb",
        limit=int(limit),
        per=400 * 365 * 86_400.0,
        shared=CountedQuotas(Database(Path(path), migrations=[SCHEMA])),
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


def _hold_token(state: str, name: str) -> None:
    """Hold the lock of a token until killed."""
    from utils.database import Database
    from utils.tokens import SCHEMA, StoredTokens

    folder = Path(state)
    with StoredTokens(Database(folder / "coordination.db", migrations=[SCHEMA]), folder / "locks").lock(name):
        _say("held")
        sys.stdin.readline()


def _collect_with_token(url: str, token_url: str, state: str, client: str, secret: str) -> None:
    """Collect once with a refresh token that may be used once; print the size of what came."""
    from config.providers import OAuth2Auth, ProviderSettings
    from data_pipeline.collect.http.http import HttpCollector, Options
    from tests.data_pipeline.collect.requests import make_request
    from utils.database import Database
    from utils.tokens import SCHEMA, StoredTokens

    folder = Path(state)
    auth = OAuth2Auth(
        kind="oauth2", token_url=token_url, client_id=client, client_secret=secret, refresh_token="refresh-0"
    )
    tokens = StoredTokens(Database(folder / "coordination.db", migrations=[SCHEMA]), folder / "locks")
    request = make_request(
        Options(url=url), folder / "spool", provider="partner", settings=ProviderSettings(auth=auth), tokens=tokens
    )
    collector = HttpCollector()
    _wait_at_the_gate()
    _say(collector.collect(request).payloads[0].size)
    collector.close()


def _prepare_as_nobody(path: str) -> None:
    """Prepare a state directory as a user who owns nothing; print what came of it."""
    from utils.database import StateError, prepare_directory

    if os.geteuid() == 0:  # to root every directory is writable
        os.setgroups([])
        os.setresuid(65534, 65534, 65534)
    try:
        prepare_directory(Path(path))
    except StateError as error:
        print(error, "|", error.hint)


_PROGRAMS: dict[str, Callable[..., None]] = {
    "append": _append,
    "open": _open,
    "hold": _hold,
    "measure": _measure,
    "take-quota": _take_quota,
    "hold-token": _hold_token,
    "collect-with-token": _collect_with_token,
    "prepare-as-nobody": _prepare_as_nobody,
}

if __name__ == "__main__":
    _PROGRAMS[sys.argv[1]](*sys.argv[2:])
