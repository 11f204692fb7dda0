"""One version for several sinks, together or not at all: a transaction that compensates.

First every sink prepares: all that may fail is done where no reader sees it. Then it is put there, first into the sinks
from which it can be taken back. So a sink that refuses, or is away, keeps the version from all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from data_pipeline.errors import PublishError
from data_pipeline.publish.sink import PublishRequest, Sink
from utils.events import NewEvent, rfc3339
from utils.transactions import Plan, Step, Transaction, Transactions

__all__ = ["KIND", "Outcome", "Target", "Together", "patience"]

KIND = "publish"


@dataclass(frozen=True, slots=True)
class Target:
    """A sink that a version goes to.

    Attributes:
        server: Whose being away keeps other sinks from working too; "": nobody's.
        request: Made when it is needed: the version's file may be gone.
        attempts: How often this was tried, with this time.
        superseded: Older versions that need not go any more.
    """

    name: str
    kind: str
    version: str
    sink: Sink
    server: str
    request: Callable[[], PublishRequest]
    attempts: int
    superseded: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it for one sink. `error` is None: it is there. `final`, `not_before`: see `Attempt`."""

    target: Target
    rows: int | None = None
    error: str | None = None
    hint: str = ""
    transient: bool = False
    final: bool = False
    not_before: datetime | None = None


class Together:
    """Publishes to several sinks at once.

    Args:
        targets_of: The targets again, from what a transaction was started with; those that are gone are left out.
        guard: Runs a call to a sink, or refuses it: its server is away.
        words: What an error says to people, without secrets.
        after: When another try makes sense; None: at the next occasion.
    """

    def __init__(
        self,
        transactions: Transactions,
        targets_of: Callable[[Mapping[str, Any]], Sequence[Target]],
        guard: Callable[[Target, Callable[[PublishRequest], Any]], Any],
        words: Callable[[Exception], str],
        after: Callable[[PublishError], datetime | None],
    ) -> None:
        self._transactions = transactions
        self._targets_of = targets_of
        self._guard = guard
        self._words = words
        self._after = after
        self._errors: dict[tuple[str, str], Exception] = {}
        transactions.register(KIND, self._plan)

    def publish(self, dataset: str, version: str, targets: Sequence[Target]) -> Transaction:
        """Publish a version to all of them, or to none."""
        data = {
            "dataset": dataset,
            "version": version,
            "sinks": [
                {"sink": one.name, "attempts": one.attempts, "superseded": list(one.superseded)} for one in targets
            ],
        }
        return self._transactions.run(KIND, _id(data), data)

    def unfinished(self, dataset: str) -> Transaction | None:
        """Go on with what was left in the middle; gives it when it cannot come to its end now either."""
        for one in self._transactions.open():
            if one.kind == KIND and one.id.startswith(_named(dataset)):
                now = self._transactions.run(KIND, one.id)
                if not now.is_over:
                    return now
        return None

    def outcomes(self, transaction: Transaction) -> list[Outcome]:
        """What came of it for each of its sinks."""
        return [self._outcome(one, transaction) for one in self._targets_of(transaction.data)]

    def _outcome(self, one: Target, transaction: Transaction) -> Outcome:
        if transaction.state == "completed":
            return Outcome(one, rows=transaction.results[f"prepare {one.name}"])
        error = self._errors.get((transaction.id, transaction.step))
        told = transaction.error if error is None else self._words(error)
        if transaction.step.partition(" ")[2] != one.name:
            told = f"goes out together with the others, and {transaction.step.partition(' ')[2]} says: {told}"
        if not transaction.is_over:
            told += "" if transaction.state == "running" else "; what went out already is not taken back everywhere yet"
        hint = self._words(PublishError(error.hint)) if isinstance(error, PublishError) and error.hint else ""
        failed = Outcome(one, error=told, hint=hint, transient=bool(getattr(error, "transient", True)))
        if not isinstance(error, PublishError):
            return failed
        # What one of them never takes goes to none of them, and must not keep later versions from all.
        return replace(failed, final=error.final and transaction.is_over, not_before=self._after(error))

    def _plan(self, data: Mapping[str, Any]) -> Plan:
        targets, name = self._targets_of(data), _id(data)
        in_order = sorted(targets, key=lambda one: not one.sink.revocable)
        return Plan(
            steps=[
                *(self._prepare(one, name) for one in targets),
                *(self._put(one, name) for one in in_order),
                Step(name="clear", do=lambda: self._clear(targets), undo=None),
            ],
            completed=lambda results: [_went_out(data["dataset"], one, results) for one in targets],
            failed=lambda transaction: [_waits(data["dataset"], outcome) for outcome in self.outcomes(transaction)],
        )

    def _prepare(self, one: Target, transaction: str) -> Step:
        step = f"prepare {one.name}"

        def prepare() -> int:
            return int(self._told((transaction, step), one, one.sink.prepare).rows)

        return Step(name=step, do=prepare, undo=lambda: one.sink.clear(one.request()))

    def _put(self, one: Target, transaction: str) -> Step:
        step = f"put {one.name}"
        return Step(
            name=step,
            do=lambda: self._told((transaction, step), one, one.sink.put),
            undo=(lambda: one.sink.take_back(one.request())) if one.sink.revocable else None,
        )

    def _clear(self, targets: Sequence[Target]) -> None:
        for one in targets:
            one.sink.clear(one.request())

    def _told(self, step: tuple[str, str], one: Target, call: Callable[[PublishRequest], Any]) -> Any:
        try:
            return self._guard(one, call)
        except Exception as error:
            self._errors[step] = error
            raise


def _went_out(dataset: str, one: Target, results: Mapping[str, Any]) -> NewEvent:
    data = {
        "sink": one.name,
        "kind": one.kind,
        "version": one.version,
        "attempts": one.attempts,
        "rows": results[f"prepare {one.name}"],
        "superseded": list(one.superseded),
    }
    return NewEvent("version.published", dataset, data, source="publish")


def _waits(dataset: str, outcome: Outcome) -> NewEvent:
    one = outcome.target
    data = {
        "sink": one.name,
        "kind": one.kind,
        "version": one.version,
        "attempts": one.attempts,
        "error": outcome.error,
        "hint": outcome.hint,
        "transient": outcome.transient,
        **patience(outcome.final, outcome.not_before),
    }
    return NewEvent("publish.failed", dataset, data, source="publish")


def patience(final: bool, not_before: datetime | None) -> dict[str, Any]:
    """What `publish.failed` says beside the reason: only what is not as usual."""
    said: dict[str, Any] = {"final": True} if final else {}
    return said if final or not_before is None else {"not_before": rfc3339(not_before)}


def _id(data: Mapping[str, Any]) -> str:
    attempts = max(one["attempts"] for one in data["sinks"])
    return f"{_named(data['dataset'])}{data['version']}/{attempts}"


def _named(dataset: str) -> str:
    return f"publish/{dataset}/"
