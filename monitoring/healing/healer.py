"""Mends what a program can mend by itself, no oftener than it may, and says whether it helped."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from monitoring.healing.caches import Caches, Holds, collect_garbage
from monitoring.healing.treatment import (
    LADDERS,
    Earlier,
    Handler,
    Healing,
    Policy,
    Request,
    Treated,
    Trouble,
    did_it_help,
    figures,
    treated,
)
from monitoring.healing.troubles import Course, Finding, Next, by_count, by_percent, course
from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import StateError
from utils.events.event import NewEvent
from utils.host import HostSample, MetricsCollector
from utils.logger import get_logger

__all__ = ["EVERY_S", "HISTORY", "AutoHealer", "UnknownAction"]

EVERY_S = 10.0
"""Seconds between two looks for trouble."""

HISTORY = 200
"""Treatments that are kept in memory."""

HYSTERESIS = 5.0
"""Percent below its warning from which on a trouble is over."""

_EARLY = 0.1
_SHORTEST_S = 0.01  # a wait that rounding leaves must still move the clock
_HOUR = 3600.0
_USUAL = Policy()
_OPT_IN = {"reapply_network": Policy(enabled=False, dry_run=True)}


class UnknownAction(ValueError):
    """Nobody has registered a handler for this action, and it is none of those that are built in."""


class AutoHealer:
    """Treats troubles of the host and of this program. Safe for threads; one treatment at a time.

    Each action has a cooldown and a most an hour. Around each the figures are taken, so that it is known whether it
    helped: `healing.started`, `healing.finished`. What has been tried and has not helped is not done again as long as
    the trouble lasts; when nothing is left and it is critical, a person is called: `healing.gave_up`.

    Args:
        policies: By action; of the others the usual one. `reapply_network` is off and dry unless its policy says else.
        memory, disk: Percent from which it is a warning, and critical.
        temporary: Folders that may be swept of old files.
        leave: Folders that are not temporary, whatever `temporary` says.
        network: Whether the network is there; None: nobody looks.
        measure: Takes a fresh sample.
        record: Writes an event into the log.
        earlier: Treatments before this start; they count for cooldown and hour.
        called: Troubles for which a person was called before this start: it is told when they are over.

    >>> healer = AutoHealer()
    >>> prices = {"BTC": 97_000.0}
    >>> healer.register_cache("prices", prices)
    >>> healer.heal("clean_caches", why="the prices are wrong").status, prices
    ('done', {})
    """

    def __init__(
        self,
        policies: Mapping[str, Policy] | None = None,
        *,
        memory: tuple[float, float] = (75.0, 90.0),
        disk: tuple[float, float] = (80.0, 95.0),
        temporary: Sequence[Path] = (),
        leave: Sequence[Path] = (),
        network: Callable[[], bool] | None = None,
        measure: Callable[[], HostSample] | None = None,
        record: Callable[[NewEvent], object] | None = None,
        earlier: Iterable[Earlier] = (),
        called: Iterable[Trouble] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._policies = {**_OPT_IN, **(policies or {})}
        self._limits: dict[Trouble, tuple[float, float]] = {"memory": memory, "disk": disk}
        self._temporary, self._leave, self._network = tuple(temporary), tuple(leave), network
        self._record, self._clock = record, clock
        self._measure = measure or MetricsCollector(clock, ttl=0.0).collect
        self._caches = Caches()
        self._handlers: dict[str, Handler] = {
            "collect_garbage": collect_garbage,
            "clean_caches": self._caches.treat,
            "clean_temporary": self._clean_temporary,
            "reap_zombies": self._reap_zombies,
            "reapply_network": self._reapply_network,
            "restart_component": self._restart_component,
        }
        self._ladders: dict[Trouble, tuple[str, ...]] = dict(LADDERS)
        self._components: dict[str, tuple[Callable[[], object], Callable[[], bool] | None]] = {}
        self._callbacks: list[Callable[[Healing], object]] = []
        self._history: deque[Healing] = deque(maxlen=HISTORY)
        self._courses = {trouble: Course(told=True) for trouble in called}
        self._times: dict[tuple[str, str], deque[float]] = {}  # monotonic, of the last hour
        for one in sorted(earlier, key=lambda one: one.at):
            ago = max(0.0, clock.time() - one.at)
            self._times.setdefault((one.action, one.subject), deque()).append(clock.monotonic() - ago)
        self._turn = threading.RLock()
        self._looked: float | None = None
        self._log = get_logger("healing")

    # --- what there is to treat ---------------------------------------------------------------

    def register_cache(self, name: str, cache: Any, *, holds: Holds = "memory") -> None:
        """A cache that may be emptied: with `clear` or `cache_clear`, or a function that empties it.

        Args:
            holds: Where it keeps what it has: it is emptied when that is short.

        Raises:
            TypeError: it is none of these.
        """
        self._caches.register(name, cache, holds=holds)

    def register_handler(self, action: str, handler: Handler, *, when: Trouble | None = None) -> None:
        """A treatment of your own, or one in the place of a built-in.

        Args:
            when: The trouble that it is tried for, after those that are tried already.
        """
        self._handlers[action] = handler
        if when is not None and action not in self._ladders.get(when, ()):
            self._ladders[when] = (*self._ladders.get(when, ()), action)

    def register_component(
        self, name: str, restart: Callable[[], object], *, is_well: Callable[[], bool] | None = None
    ) -> None:
        """A part of the program that `heal("restart_component", subject=name)` starts anew.

        Args:
            is_well: Whether it works, asked after the restart; None: it does unless the restart raised.
        """
        self._components[name] = (restart, is_well)

    def on_heal(self, callback: Callable[[Healing], object]) -> None:
        """Have a callback called after each treatment. What it raises is told in the log and hinders nobody."""
        self._callbacks.append(callback)

    @property
    def history(self) -> tuple[Healing, ...]:
        """The treatments that were taken, oldest first."""
        return tuple(self._history)

    # --- treating -----------------------------------------------------------------------------

    def step(self, sample: HostSample) -> float:
        """Look for trouble and treat it; gives the seconds until the next look.

        A call that comes before that counts for nothing, so who samples more often may call each time.
        """
        with self._turn:
            now = self._clock.monotonic()
            if self._looked is not None and (due := self._looked + EVERY_S * (1.0 - _EARLY)) > now:
                return max(_SHORTEST_S, due - now)
            self._looked = now
            for trouble in self._ladders:
                found = self._find(trouble, sample)
                if found is not None:
                    self._treat(trouble, found, sample)
            return EVERY_S

    def heal(
        self,
        action: str,
        *,
        subject: str = "",
        why: str = "asked for",
        trouble: Trouble | None = None,
        critical: bool = False,
    ) -> Healing:
        """Take an action now, as far as its policy lets it; one that it does not let is `skipped`.

        Args:
            subject: What is treated: a component.
            why: What called for it, in words.
            trouble: What it is to end; None: somebody asked for it, and it does all that it can.
            critical: The trouble is: the action may do what costs something.

        Raises:
            UnknownAction: nobody treats by this name.
        """
        if action not in self._handlers:
            near = get_close_matches(action, self._handlers, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(sorted(self._handlers))}"
            raise UnknownAction(f"no treatment `{action}`; {hint}")
        with self._turn:
            policy = self._policies.get(action, _USUAL)
            begun = Healing(action, subject, why, "skipped", self._clock.now(), dry_run=policy.dry_run)
            if rests := self._rests(action, subject, policy):
                return replace(begun, detail=rests)
            request = Request(action, subject, trouble, critical, policy.dry_run)
            healing = self._taken(begun, request)
            self._history.append(healing)
        for callback in self._callbacks:
            try:
                callback(healing)
            except Exception as error:  # noqa: BLE001 - a stranger's code; the others are called all the same
                self._log.error("healing.callback_failed", action=action, reason=str(error), exc=error)
        return healing

    def _taken(self, begun: Healing, request: Request) -> Healing:
        before = figures(self._measure())
        self._tell("healing.started", replace(begun, before=before))
        started = self._clock.monotonic()
        did, error = Treated(), ""
        try:
            did = treated(self._handlers[request.action](request))
        except Exception as failure:  # noqa: BLE001 - whatever a treatment raises, the program goes on
            error = f"{type(failure).__name__}: {failure}"
            self._log.warning("healing.failed", action=request.action, reason=str(failure))
        after = figures(self._measure())
        limit = self._limits[request.trouble][0] if request.trouble in self._limits else None
        helped = did_it_help(did, request.trouble, before, after, limit)
        healing = replace(
            begun,
            status="failed" if error else "done",
            seconds=round(self._clock.monotonic() - started, 3),
            count=did.count,
            freed_bytes=did.freed_bytes,
            detail=did.detail,
            before=before,
            after=after,
            helped=False if error else None if request.dry_run else helped,
            error=error,
        )
        self._tell("healing.finished", healing)
        return healing

    def _rests(self, action: str, subject: str, policy: Policy) -> str:
        """Why an action is not taken now; "": it is, and counts from now on."""
        if not policy.enabled:
            return "it is switched off"
        now = self._clock.monotonic()
        taken = self._times.setdefault((action, subject), deque())
        while taken and now - taken[0] >= _HOUR:
            taken.popleft()
        if taken and (left := policy.cooldown_s - (now - taken[-1])) > 0.0:
            return f"it was taken a short time ago, and rests for {left:.0f} s more"
        if len(taken) >= policy.per_hour:
            return f"it was taken {policy.per_hour} times in an hour, which is the most"
        taken.append(now)
        return ""

    # --- finding ------------------------------------------------------------------------------

    def _find(self, trouble: Trouble, sample: HostSample) -> Finding | None:
        """What there is to see of a trouble; None: nobody looks for it."""
        if trouble in self._limits:
            value = sample.memory_percent if trouble == "memory" else sample.disk_percent
            on = bool(self._courses.get(trouble, Course()).tried)
            return by_percent(trouble, value, self._limits[trouble], HYSTERESIS, on)
        if trouble == "zombies":
            return by_count("zombies that nobody waits for", len(self._zombies.look()))
        if trouble == "network" and self._network is not None and self._policy("reapply_network").enabled:
            return Finding(not self._network(), True, "the network is away")
        return None

    def _treat(self, trouble: Trouble, found: Finding, sample: HostSample) -> None:
        before = self._courses.get(trouble, Course())
        ladder = [action for action in self._ladders[trouble] if self._policy(action).enabled]
        following: Next = course(before, found, ladder)
        self._courses[trouble] = following.course
        if following.action is not None:
            self.heal(following.action, why=found.words, trouble=trouble, critical=found.critical)
        elif following.call:
            tried = sorted({action for action, _ in following.course.tried})
            words = f"{found.words}: {', '.join(tried) if tried else 'nothing'} tried, and it goes on"
            data = {"tried": tried, "before": figures(sample), "words": words}
            self._append(self._event("healing.gave_up", trouble, data))
        elif following.over:
            data = {"after": figures(sample), "words": f"{trouble}: over"}
            self._append(self._event("healing.recovered", trouble, data))

    def _policy(self, action: str) -> Policy:
        return self._policies.get(action, _USUAL)

    @cached_property
    def _zombies(self) -> Any:
        from monitoring.healing.zombies import Zombies
        from utils.host.processes import ProcessTable

        return Zombies(ProcessTable(self._clock))

    # --- the treatments that are built in -----------------------------------------------------

    def _clean_temporary(self, request: Request) -> Treated:
        from monitoring.healing.temporary import clean_temporary

        done = clean_temporary(self._temporary, now=self._clock.time(), dry_run=request.dry_run, leave=self._leave)
        words = [f"{done.files} files {'would go' if request.dry_run else 'removed'}"]
        words += [f"{done.in_use} old ones are in use"] if done.in_use else []
        words += [f"{folder} not entered: {why}" for folder, why in done.refused.items()]
        return Treated(done.files, done.bytes, "; ".join(words))

    def _reap_zombies(self, request: Request) -> Treated:
        count = self._zombies.reap(dry_run=request.dry_run)
        return Treated(count, detail=f"{count} {'would be' if request.dry_run else 'were'} let go")

    def _reapply_network(self, request: Request) -> Treated:
        from monitoring.healing.network import reapply

        return reapply(request, is_there=self._network or (lambda: True))

    def _restart_component(self, request: Request) -> Treated:
        if request.subject not in self._components:
            near = get_close_matches(request.subject, self._components, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(self._components) or 'none'}"
            raise UnknownAction(f"no component `{request.subject}`; {hint}")
        restart, is_well = self._components[request.subject]
        if request.dry_run:
            return Treated(1, detail=f"{request.subject} would be started anew")
        restart()
        return Treated(1, detail=f"{request.subject} was started anew", helped=is_well is None or is_well())

    # --- telling ------------------------------------------------------------------------------

    def _tell(self, kind: str, healing: Healing) -> None:
        told = healing.to_json()
        if kind == "healing.started":
            told = {name: told[name] for name in ("action", "subject", "why", "dry_run", "before")}
        self._append(self._event(kind, healing.subject or healing.action, told))

    @staticmethod
    def _event(kind: str, subject: str, data: Mapping[str, Any]) -> NewEvent:
        return NewEvent(kind, subject, {**data, "actor": "healer"}, source="healing")

    def _append(self, event: NewEvent) -> None:
        """A log that cannot be written hinders no treatment: a full disk is one of those things that are treated."""
        if self._record is None:
            return
        try:
            self._record(event)
        except StateError as error:
            self._log.warning("healing.not_written", type=event.type, subject=event.subject, reason=str(error))
