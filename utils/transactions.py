"""Several steps that happen all, or none of them: what was done is taken back when a later step fails (a saga).

After Garcia-Molina & Salem, "Sagas", SIGMOD 1987. Each step is told in the log as it is done, so another process goes
on where a dead one stopped. Steps and their compensations may be called again after a kill: both must do no harm twice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import StateError
from utils.events import ConcurrencyError, Event, EventStore, NewEvent
from utils.leases import Leases
from utils.one_line import one_line
from utils.transaction_views import Listed, listed

__all__ = ["Plan", "Step", "Transaction", "Transactions"]

State = Literal["running", "undoing", "completed", "failed"]

SOURCE = "transactions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step.

    Attributes:
        do: Does it; what it returns is JSON, and stands in the log. What it raises turns the transaction back.
        undo: Takes it back; called also for the step that failed, for nobody knows how far that came. None: it cannot
            be taken back. Once such a step is done the transaction only goes forward: a later step that fails is tried
            again at each `resume`. So these come last.
    """

    name: str
    do: Callable[[], Any]
    undo: Callable[[], object] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps of a transaction, in order, and what else the log is told in the commit that ends it.

    Attributes:
        completed: Given what each step returned, by its name.
        failed: Given the transaction as its end leaves it: `failed`, all of its steps undone.
    """

    steps: Sequence[Step]
    completed: Callable[[Mapping[str, Any]], Sequence[NewEvent]] = lambda _: ()
    failed: "Callable[[Transaction], Sequence[NewEvent]]" = lambda _: ()


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction as the log tells it.

    Attributes:
        data: What it was started with.
        steps, done, undone: Names of all its steps, of those that were done, of those that were taken back.
        step, error: The step that failed, and why; "" when none has.
        attempts: How often the step, or the compensation, at which it stands now has failed.
        version: How many events it has.
    """

    id: str
    kind: str
    data: dict[str, Any]
    steps: tuple[str, ...]
    state: State = "running"
    done: tuple[str, ...] = ()
    undone: tuple[str, ...] = ()
    results: dict[str, Any] = field(default_factory=dict)
    step: str = ""
    error: str = ""
    attempts: int = 0
    version: int = 1

    @property
    def is_over(self) -> bool:
        return self.state in ("completed", "failed")

    def after(self, event: Event) -> "Transaction":
        """This transaction, once one more of its events has happened."""
        data, now = event.data, replace(self, version=event.version)
        match event.type:
            case "transaction.step_done":
                results = {**self.results, data["step"]: data["result"]}
                return replace(now, done=(*self.done, data["step"]), results=results, step="", error="", attempts=0)
            case "transaction.turned_back":
                return replace(now, state="undoing", step=data["step"], error=data["error"], attempts=0)
            case "transaction.step_undone":
                return replace(now, undone=(*self.undone, data["step"]), attempts=0)
            case "transaction.step_failed" if self.state == "running":
                return replace(now, step=data["step"], error=data["error"], attempts=data["attempts"])
            case "transaction.step_failed":
                return replace(now, attempts=data["attempts"])
            case "transaction.completed":
                return replace(now, state="completed")
            case "transaction.failed":
                return replace(now, state="failed")
        return now

    @property
    def to_undo(self) -> tuple[str, ...]:
        """What is still to be taken back, the last first; the step that failed is among it."""
        begun = (*self.done, *([self.step] if self.step not in self.done else []))
        return tuple(name for name in reversed(begun) if name not in self.undone)


class Transactions:
    """Starts transactions, and brings those to an end that were left in the middle.

    Args:
        redacted: Masks known secrets in what steps say.
    """

    def __init__(
        self,
        store: EventStore,
        leases: Leases,
        *,
        clock: Clock = SYSTEM_CLOCK,
        redacted: Callable[[str], str] = str,
    ) -> None:
        self._store = store
        self._leases = leases
        self._clock = clock
        self._redacted = redacted
        self._plans: dict[str, Callable[[dict[str, Any]], Plan]] = {}

    def register(self, kind: str, plan: Callable[[dict[str, Any]], Plan]) -> None:
        """Say what a kind of transaction consists of, given the data that one was started with.

        Whoever resumes must know the kind, and `plan` must give the same steps again.
        """
        self._plans[kind] = plan

    def run(self, kind: str, id: str, data: dict[str, Any] | None = None) -> Transaction:
        """Start a transaction and bring it as far as it goes now; the same `id` again goes on with the same one.

        It comes back `completed`, or `failed` with every step undone; or open, when a compensation failed, or a step
        after one that cannot be taken back, or when another process is at it. `resume` goes on with an open one.

        Args:
            id: Unique among the subjects of the log.
            data: JSON, enough to make the steps again in another process.

        Raises:
            KeyError: nobody registered `kind`.
            StateError: the log cannot be written. What was done stands in it; `resume` goes on.
        """
        if self._find(id) is None:
            steps = [step.name for step in self._plans[kind](data or {}).steps]
            if len(set(steps)) < len(steps):
                raise ValueError(f"{kind}: two steps have the same name: {', '.join(steps)}")
            begin = {"kind": kind, "steps": steps, "data": data or {}}
            try:
                self._store.append([NewEvent("transaction.started", id, begin, SOURCE, expected=0)])
            except ConcurrencyError:
                if self._find(id) is None:
                    raise StateError(
                        f"{id}: the log tells of something else by this name", hint="give the transaction another id"
                    ) from None
        return self._drive(id)

    def resume(self, *, kind: str | None = None) -> list[Transaction]:
        """Go on with every open transaction that no living process works on; gives how they stand then.

        One of a kind that nobody registered here is left as it is.
        """
        mine = [one for one in self.open() if one.kind in self._plans and kind in (None, one.kind)]
        return [self._drive(one.id) for one in mine]

    def open(self) -> list[Listed]:
        """The transactions that have neither completed nor failed, oldest first."""
        return listed(self._store.database)

    def get(self, id: str) -> Transaction:
        """A transaction as it stands. Raises `KeyError` when there is none of that id."""
        found = self._find(id)
        if found is None:
            raise KeyError(id)
        return found

    def abandon(self, id: str, *, reason: str) -> Transaction:
        """Give up one that cannot come to an end; what of it was done and not undone stays, and the log names it.

        Raises:
            KeyError: there is none of that id.
            StateError: it is over already, or a living process works on it.
        """
        found = self.get(id)
        if found.is_over or not self._leases.acquire([_lease(id)]):
            why = f"has {found.state} already" if found.is_over else "is being worked on"
            raise StateError(f"transaction {id} {why}", hint="leave it")
        try:
            left = [name for name in found.done if name not in found.undone]
            data = {"kind": found.kind, "step": found.step, "error": reason, "left": left}
            return self._tell(found, "transaction.failed", data)
        finally:
            self._leases.drop([_lease(id)])

    # --- going on -----------------------------------------------------------------------------

    def _drive(self, id: str) -> Transaction:
        if not self._leases.acquire([_lease(id)]):
            return self.get(id)
        now = None
        try:
            now = self.get(id)  # only now: whoever had it before us may have moved it
            plan = None if now.is_over else self._plans[now.kind](now.data)
            try:
                while plan is not None and not now.is_over:
                    before = now
                    now = self._forward(now, plan) if now.state == "running" else self._back(now, plan)
                    if now.attempts > before.attempts:
                        break  # tried again later
            except ConcurrencyError:
                return self.get(id)  # we were taken for dead, and somebody else went on
            return now
        finally:
            # The log itself refuses whoever comes late (by the expected version): no fencing number has to be kept.
            (self._leases.drop if now is not None and now.is_over else self._leases.release)([_lease(id)])

    def _forward(self, now: Transaction, plan: Plan) -> Transaction:
        left = [name for name in now.steps if name not in now.done]
        if not left:
            return self._tell(now, "transaction.completed", {"kind": now.kind}, plan.completed(now.results))
        steps = {step.name: step for step in plan.steps}
        try:
            result = _known(steps, left[0]).do()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - told in the log, and taken back
            told = {"kind": now.kind, "step": left[0], "error": self._words(error)}
            if any(name in steps and steps[name].undo is None for name in now.done):
                return self._tell(now, "transaction.step_failed", {**told, "attempts": now.attempts + 1})
            return self._tell(now, "transaction.turned_back", told)
        return self._tell(now, "transaction.step_done", {"kind": now.kind, "step": left[0], "result": result})

    def _back(self, now: Transaction, plan: Plan) -> Transaction:
        left = now.to_undo
        if not left:
            data = {"kind": now.kind, "step": now.step, "error": now.error, "left": []}
            return self._tell(now, "transaction.failed", data, plan.failed(replace(now, state="failed")))
        steps = {step.name: step for step in plan.steps}
        try:
            undo = _known(steps, left[0]).undo
            if undo is not None:  # else it is the step that failed, which cannot be taken back: it is not there
                undo()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - told in the log, and tried again later
            told = {"kind": now.kind, "step": left[0], "error": self._words(error), "attempts": now.attempts + 1}
            return self._tell(now, "transaction.step_failed", told)
        return self._tell(now, "transaction.step_undone", {"kind": now.kind, "step": left[0]})

    def _tell(self, now: Transaction, kind: str, data: dict[str, Any], others: Sequence[NewEvent] = ()) -> Transaction:
        """Write down what happened, unless somebody else wrote something meanwhile; gives the transaction after it."""
        event = NewEvent(kind, now.id, data, SOURCE, expected=now.version)
        return now.after(self._store.append([event, *others])[0])

    def _find(self, id: str) -> Transaction | None:
        found: Transaction | None = None
        after = 0
        while events := self._store.read(subject=id, after=after):
            for event in events:
                if found is None and event.type == "transaction.started":
                    found = Transaction(id, event.data["kind"], event.data["data"], tuple(event.data["steps"]))
                elif found is not None:
                    found = found.after(event)
            after = events[-1].seq
        return found

    def _words(self, error: BaseException) -> str:
        return one_line(self._redacted(f"{type(error).__name__}: {error}"), 500)


def _known(steps: Mapping[str, Step], name: str) -> Step:
    if name not in steps:
        raise LookupError(f"there is no step {name} any more")
    return steps[name]


def _lease(id: str) -> str:
    return f"transaction:{id}"
