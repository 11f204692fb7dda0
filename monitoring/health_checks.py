"""Named health checks, each asked in a thread of its own: one that hangs or raises has failed, the rest goes on."""

import inspect
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from monitoring.health import HealthResult, HealthResults
from monitoring.probes import Unwell
from utils.clock import SYSTEM_CLOCK, Clock
from utils.one_line import one_line

__all__ = ["HealthCheck", "HealthChecks"]


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """What is looked at, and how often.

    Attributes:
        look: Called without arguments in a thread; a coroutine function is awaited. Well when the result is true: a
            text, or the text of `(True, "text")`, is the detail; a `HealthResult` is taken as it is. What it raises is
            a failure.
        kind: `function http tcp database disk heartbeat`.
        timeout: Seconds after which it has failed; the call is left behind.
        every: Seconds between two looks of `run_due`.
        parent: The check that explains this one when both fail.
    """

    name: str
    look: Callable[[], Any]
    kind: str = "function"
    timeout: float = 5.0
    every: float = 30.0
    parent: str | None = None


class HealthChecks:
    """A set of checks. Thread-safe; at most one call of a check is in flight, and whoever asks meanwhile shares it.

    A call that hangs is never waited for when the program ends, and its check is not called again until it is back.

    Args:
        checks: The first ones; more with `add`.
        redacted: Masks secrets in what checks say.
        clock: Stamps results, measures responses and says what is due; how long a check may hang is real time.

    >>> checks = HealthChecks([HealthCheck("shop", lambda: True), HealthCheck("disk", lambda: (False, "full"))])
    >>> found = checks.run()
    >>> bool(found), found["shop"].healthy, found["disk"].detail
    (False, True, 'full')
    """

    def __init__(
        self,
        checks: Iterable[HealthCheck] = (),
        *,
        redacted: Callable[[str], str] = str,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._checks: dict[str, HealthCheck] = {}
        self._redacted = redacted
        self._clock = clock
        self._lock = threading.Lock()
        self._calls: dict[str, _Call] = {}
        self._due: dict[str, float] = {}
        for check in checks:
            self.add(check)

    def add(self, check: HealthCheck) -> None:
        """One more check; one of the same name takes the place of the old one.

        Raises:
            ValueError: timeout or interval are not above 0.
        """
        if check.timeout <= 0.0 or check.every <= 0.0:
            raise ValueError(f"check {check.name!r}: timeout and interval must be above 0")
        with self._lock:
            self._checks[check.name] = check
            self._due[check.name] = self._clock.monotonic()

    def run(self) -> HealthResults:
        """Ask all checks now, side by side; takes as long as the longest timeout at most."""
        return self._run(self._known())

    def run_due(self) -> HealthResults:
        """Ask those whose time has come, and the parents of those that fail, so that their failure is explained."""
        known, now = self._known(), self._clock.monotonic()
        found = self._run({name: check for name, check in known.items() if self._due.get(name, now) <= now}, known)
        with self._lock:
            for name in found:
                self._due[name] = now + known[name].every
        return found

    def due_in(self) -> float:
        """Seconds until `run_due` has something to do; infinite without checks."""
        with self._lock:
            return max(0.0, min(self._due.values(), default=float("inf")) - self._clock.monotonic())

    def _known(self) -> dict[str, HealthCheck]:
        with self._lock:
            return dict(self._checks)

    def _run(self, wanted: Mapping[str, HealthCheck], known: Mapping[str, HealthCheck] = {}) -> HealthResults:
        """Results in the order of the checks; `known` may be asked besides, as parents."""
        found: dict[str, HealthResult] = {}
        asked = wanted
        while asked:
            found |= self._ask(asked)
            ill = (known[name].parent for name in found if not found[name] and name in known)
            asked = {name: known[name] for name in ill if name is not None and name in known and name not in found}
        parents = {name: check.parent for name, check in {**known, **wanted}.items()}
        return HealthResults({name: _explained(found, parents, name) for name in parents if name in found})

    def _ask(self, checks: Mapping[str, HealthCheck]) -> dict[str, HealthResult]:
        calls = {name: self._call(check) for name, check in checks.items()}
        return {name: call.result() for name, call in calls.items()}

    def _call(self, check: HealthCheck) -> "_Call":
        with self._lock:
            call = self._calls.get(check.name)
            if call is None or call.is_over():
                call = self._calls[check.name] = _Call(check, self._redacted, self._clock)
            return call


class _Call:
    """One call of a check in its thread, from its start until somebody has its result."""

    def __init__(self, check: HealthCheck, redacted: Callable[[str], str], clock: Clock) -> None:
        self._check = check
        self._redacted = redacted
        self._clock = clock
        self._checked_at = clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._ends = time.monotonic() + check.timeout
        self._over = threading.Event()
        self._found: HealthResult | None = None
        # A daemon: a call that hangs must not keep the program from ending.
        threading.Thread(target=self._look, name=f"health {check.name}", daemon=True).start()

    def is_over(self) -> bool:
        """Whether its thread has ended."""
        return self._over.is_set()

    def result(self) -> HealthResult:
        """What it found; when it does not come back in time, that."""
        if self._over.wait(max(0.0, self._ends - time.monotonic())) and self._found is not None:
            return self._found
        return self._told(False, f"no answer within {self._check.timeout:g} s", self._check.timeout)

    def _look(self) -> None:
        began = self._clock.monotonic()
        try:
            well, words = _judged(self._check.look())
        except Unwell as error:
            well, words = False, str(error)
        except BaseException as error:  # noqa: BLE001 - whatever a check raises is its failure, `sys.exit()` too
            well, words = False, f"{type(error).__name__}: {error}".removesuffix(": ")
        self._found = self._told(well, words, self._clock.monotonic() - began)
        self._over.set()

    def _told(self, well: bool, words: str, response_s: float) -> HealthResult:
        return HealthResult(
            self._check.name,
            well,
            one_line(self._redacted(words)),
            kind=self._check.kind,
            response_s=round(response_s, 6),
            checked_at=self._checked_at,
        )


def _judged(result: Any) -> tuple[bool, str]:
    if inspect.iscoroutine(result):
        import asyncio

        result = asyncio.run(result)
    if isinstance(result, HealthResult):
        return result.healthy, result.detail
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], str):
        return bool(result[0]), result[1]
    if result is None:
        return False, "the check returned None; it is well when it returns something true"
    return bool(result), result if isinstance(result, str) else ""


def _explained(found: Mapping[str, HealthResult], parents: Mapping[str, str | None], name: str) -> HealthResult:
    """The result, with the uppermost of the failed ancestors right above it as its explanation."""
    result = found[name]
    above, top, seen = parents[name], None, {name}
    while not result and above is not None and above not in seen and above in found and not found[above]:
        seen.add(above)
        above, top = parents.get(above), above
    if top is None or above in seen:  # in a circle everybody would explain everybody
        return result
    return HealthResult(
        name,
        False,
        result.detail,
        kind=result.kind,
        response_s=result.response_s,
        checked_at=result.checked_at,
        explained_by=top,
    )
