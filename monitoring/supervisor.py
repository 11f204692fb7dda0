"""Keep a child process running: start it again when it dies, hangs or is not ready in time; in the end give up."""

import atexit
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

from monitoring.child import Child
from monitoring.service_event import Listener, Listeners, ServiceEvent, What, Why
from utils.clock import SYSTEM_CLOCK, Clock
from utils.redaction import Redactor

__all__ = ["LIMITS_S", "State", "Supervisor"]

LIMITS_S = (90.0, 120.0, 180.0, 240.0)
"""Seconds that the first, second, ... start may take; there are as many tries as limits."""

State = Literal["stopped", "starting", "ready", "waiting", "given_up"]

_LOOK_S = 0.1  # while it starts
_LONGEST_PAUSE_S = 30.0
_MISSES = 3  # unanswered looks in a row after which it hangs
_DENIED = ("permission denied", "permissionerror", "eacces", "operation not permitted")


class Supervisor:
    """Runs a command until it is stopped. What happens to it is told to whoever asked with `on_event`.

    A start that is not ready within its limit is ended, with all that it started, and tried again with the next
    limit, after a pause that doubles from `pause_s` to half a minute. It is begun anew in the same way when it ends by
    itself. After the last try it is told that nobody tries any more, and nothing happens until `start`. Once it was
    ready for `calm_s` seconds, the tries are counted anew.

    Whoever has a loop of their own calls `step`; `start` does it in a thread.

    Args:
        name: Of the service, in what is told.
        command: Program and arguments, to run in the foreground; no shell.
        ready: Whether it can be used; asked until it says so. What raises is not ready. None: as soon as it runs.
        alive: Asked every `alive_every` seconds once it is ready; after three times no in a row it is begun anew.
        limits: Seconds until it must be ready, for each try in a row.
        grace_s: Seconds between asking it to end and ending it.
        redacted: Takes secrets out of its output and of what is told.

    >>> with Supervisor("clock", ["sleep", "60"]) as supervisor:
    ...     supervisor.wait_ready(10)
    True
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        ready: Callable[[], object] | None = None,
        alive: Callable[[], object] | None = None,
        alive_every: float = 5.0,
        limits: Sequence[float] = LIMITS_S,
        pause_s: float = 1.0,
        calm_s: float = 600.0,
        grace_s: float = 10.0,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        redacted: Callable[[str], str] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if not limits or not command:
            raise ValueError(f"supervisor {name!r} needs a command and at least one limit")
        self.name, self.command = name, tuple(command)
        self._ready, self._alive, self._alive_every = ready, alive, alive_every
        self._limits, self._pause_s, self._calm_s, self._grace_s = tuple(limits), pause_s, calm_s, grace_s
        self._env, self._cwd = env, cwd
        self._redacted = redacted or Redactor().text
        self._clock = clock
        self._listeners = Listeners[ServiceEvent]()
        self._stepping = threading.RLock()  # one step at a time; a listener may ask for more
        self._changed = threading.Condition()  # wakes the thread, and who waits until it is ready
        self._news = False
        self._state: State = "stopped"
        self._child: Child | None = None
        self._tries = 0
        self._reason = ""
        self._began = self._due = 0.0  # when the state began; when the next look is due
        self._away_since: float | None = None
        self._misses = 0
        self._thread: threading.Thread | None = None

    # --- what others ask

    @property
    def state(self) -> State:
        return self._state

    @property
    def attempt(self) -> int:
        """Which try it is, from 1; 0: none yet."""
        return self._tries

    @property
    def limit_s(self) -> float:
        """Seconds that this start may take."""
        return self._limits[min(max(1, self._tries), len(self._limits)) - 1]

    @property
    def pid(self) -> int | None:
        child = self._child
        return None if child is None or child.is_gone else child.pid

    def output(self) -> tuple[str, ...]:
        """The last lines that it wrote."""
        child = self._child
        return () if child is None else child.tail()

    @property
    def reason(self) -> str:
        """Why it was lost last, in words, without secrets; "": it never was."""
        return self._reason

    def on_event(self, listener: Listener) -> None:
        """Have `listener` called with each `ServiceEvent`: started, unavailable, recovered, stopped."""
        self._listeners.add(listener)

    def wait_ready(self, timeout: float | None = None) -> bool:
        """Until it is ready, or will not be (given up, stopped, `timeout` seconds are over); whether it is."""
        with self._changed:
            self._changed.wait_for(lambda: self._state in {"ready", "given_up", "stopped"}, timeout)
            return self._state == "ready"

    # --- its life

    def start(self) -> Self:
        """Begin, in a thread; nothing happens when it runs already."""
        with self._stepping:
            self.begin()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=f"supervisor of {self.name}", daemon=True)
                self._thread.start()
                atexit.register(self.stop)  # a program that ends without `stop` leaves nothing behind
        return self

    def begin(self) -> None:
        """The same for whoever calls `step`: the first try is due."""
        with self._stepping:
            if self._state in {"stopped", "given_up"}:
                self._tries, self._away_since = 0, None
                self._enter("waiting", 0.0)

    def restart(self, reason: str = "somebody asked for it") -> None:
        """End it and begin anew at once; no try is counted."""
        with self._stepping:
            if self._state in {"stopped", "given_up"}:
                self.begin()
                return
            self._end()
            self._tell("unavailable", f"begun anew: {reason}", "")
            self._away_since = self._clock.monotonic()
            self._tries = max(0, self._tries - 1)
            self._enter("waiting", 0.0)

    def stop(self) -> None:
        """End it with all that it started; come back once it is gone."""
        with self._stepping:
            was = self._state
            self._enter("stopped", math.inf)
            self._end()
            if was != "stopped":
                self._tell("stopped", "stopped as somebody wished")
        thread, self._thread = self._thread, None
        if thread is not None:
            atexit.unregister(self.stop)
            if thread is not threading.current_thread():
                thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def step(self) -> float:
        """Look once, and do what is due; gives the seconds until the next look."""
        with self._stepping:
            now = self._clock.monotonic()
            if self._state == "waiting" and now >= self._due:
                self._try()
            if self._state == "starting":
                self._look_while_starting()
            elif self._state == "ready":
                self._look_while_ready(now)
            return max(0.0, self._due - self._clock.monotonic())

    def _work(self) -> None:
        while self._state != "stopped":
            wait = self.step()
            with self._changed:
                self._changed.wait_for(lambda: self._news or self._state == "stopped", min(wait, 3600.0))
                self._news = False

    # --- one try

    def _try(self) -> None:
        self._tries += 1
        try:
            self._child = Child(
                self.command, env=self._env, cwd=self._cwd, redacted=self._redacted, ended=self._look_again
            )
        except (OSError, ValueError) as error:
            self._child = None
            denied = isinstance(error, PermissionError)
            reason = f"{self.command[0]} cannot be started: {getattr(error, 'strerror', None) or error}"
            self._give_up(reason, "permission" if denied else "given_up")  # no other try would find it different
            return
        self._misses = 0
        self._enter("starting", 0.0)

    def _look_while_starting(self) -> None:
        child, now = self._child, self._clock.monotonic()
        assert child is not None
        took = now - self._began
        if child.is_gone:
            self._lost_it(f"it ended with {_in_words(child.exit_code)} before it was ready", self._why_it_died())
        elif self._ready is None or _says_yes(self._ready):
            away = None if self._away_since is None else now - self._away_since
            self._away_since = None
            self._enter("ready", self._calm_s if self._alive is None else min(self._calm_s, self._alive_every))
            if away is None:
                self._tell("started", f"ready after {took:.3g} s", silent_s=took)
            else:
                self._tell("recovered", f"ready again, after {away:.3g} s", silent_s=away)
        elif took > self.limit_s:
            self._end()
            self._lost_it(
                f"not ready after {took:.3g} s, {self.limit_s:.3g} s are allowed", "slow_start", silent_s=took
            )
        else:
            self._due = now + min(_LOOK_S, self.limit_s)

    def _look_while_ready(self, now: float) -> None:
        child = self._child
        assert child is not None
        if child.is_gone:
            self._lost_it(f"it ended with {_in_words(child.exit_code)}", self._why_it_died())
            return
        if now - self._began >= self._calm_s:
            self._tries = 0
        if self._alive is None:
            self._due = self._began + self._calm_s if self._tries else math.inf
            return
        if now < self._due:
            return
        self._misses = 0 if _says_yes(self._alive) else self._misses + 1
        if self._misses < _MISSES:
            self._due = self._clock.monotonic() + self._alive_every
            return
        self._end()
        self._lost_it(f"it did not answer {_MISSES} times in a row", "stalled")

    def _lost_it(self, reason: str, why: Why, *, silent_s: float | None = None) -> None:
        self._reason = self._redacted(reason)
        if self._away_since is None:
            self._away_since = self._clock.monotonic()
        last = self._tries >= len(self._limits)
        limit = self.limit_s if why == "slow_start" else None
        if last:
            self._enter("given_up", math.inf)
        else:
            self._enter("waiting", min(_LONGEST_PAUSE_S, self._pause_s * 2.0 ** max(0, self._tries - 1)))
        self._tell("unavailable", reason, why, silent_s=silent_s, limit_s=limit)
        if last and self._state == "given_up":
            tries = "1 try" if self._tries == 1 else f"{self._tries} tries"
            self._tell("unavailable", f"given up after {tries}: {reason}", "given_up")

    def _give_up(self, reason: str, why: Why) -> None:
        self._reason = self._redacted(reason)
        self._away_since = self._clock.monotonic()
        self._enter("given_up", math.inf)
        self._tell("unavailable", reason, why)

    def _why_it_died(self) -> Why:
        told = " ".join(self.output()).lower()
        return "permission" if any(word in told for word in _DENIED) else "died"

    def _end(self) -> None:
        if self._child is not None and not self._child.is_gone:
            self._child.end(self._grace_s)

    def _enter(self, state: State, due_in: float) -> None:
        with self._changed:
            self._state = state
            self._began = self._clock.monotonic()
            self._due = self._began + due_in
            self._news = True
            self._changed.notify_all()

    def _look_again(self) -> None:
        with self._changed:
            self._news = True
            self._changed.notify_all()

    def _tell(
        self, what: What, reason: str, why: Why = "", *, silent_s: float | None = None, limit_s: float | None = None
    ) -> None:
        lost = what == "unavailable"
        self._listeners.tell(
            ServiceEvent(
                what,
                self.name,
                self._redacted(reason),
                self._clock.now(),
                why,
                silent_s=silent_s,
                limit_s=limit_s,
                attempt=self._tries,
                exit_code=self._child.exit_code if lost and self._child is not None else None,
                output=self.output() if lost else (),
            )
        )


def _says_yes(ask: Callable[[], object]) -> bool:
    try:
        return bool(ask())
    except Exception:  # noqa: BLE001 - whatever it raises: it is not there
        return False


def _in_words(exit_code: int | None) -> str:
    import signal

    if exit_code is None or exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return f"signal {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"signal {-exit_code}"
