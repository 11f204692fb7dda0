"""Proving the log whole in the background: begun once, asked after until it is done."""

import threading
from dataclasses import dataclass, replace
from typing import Any, Literal

from integrated_system import IntegratedSystem
from operations.actor import Actor, operation
from operations.events import verify
from operations.trouble import Trouble, told
from utils.events import NewEvent, Verification, rfc3339

__all__ = ["Proof", "Prover", "begin"]


@dataclass(frozen=True, slots=True)
class Proof:
    """How the last proof stands. `checked` of `total` events; `finished_at`: RFC 3339.

    `state`: `none` was begun since this process started; `going on`; `done`, with the `result`; `failed`: it could
    not be brought to its end, which says nothing about the log.
    """

    state: Literal["none", "going on", "done", "failed"] = "none"
    checked: int = 0
    total: int = 0
    finished_at: str | None = None
    result: Verification | None = None
    trouble: Trouble | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "checked": self.checked,
            "total": self.total,
            "finished_at": self.finished_at,
            "result": self.result.to_json() if self.result else None,
            "trouble": self.trouble.message if self.trouble else None,
        }


class _Ended(Exception):
    """Nobody waits for the proof any more."""


class Prover:
    """One proof at a time, in a thread. Whoever begins one while it is going on joins it."""

    def __init__(self, system: IntegratedSystem) -> None:
        self._system = system
        self._guard = threading.Lock()
        self._proof = Proof()
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def proof(self) -> Proof:
        """As it stands now."""
        return self._proof

    def begin(self) -> Proof:
        """Begin one, unless one is going on."""
        with self._guard:
            if self._proof.state != "going on" and not self._closed:
                begun = self._proof = Proof("going on", 0, self._system.events.head()[0])
                self._thread = threading.Thread(target=self._prove, name="prover", daemon=True)
                self._thread.start()
                return begun
            return self._proof

    def close(self) -> None:
        """End what is going on, and wait for it."""
        with self._guard:
            self._closed = True
        if self._thread is not None:
            self._thread.join()

    def _prove(self) -> None:
        def checked(position: int) -> None:
            if self._closed:
                raise _Ended
            self._proof = replace(self._proof, checked=position)

        try:
            found = verify(self._system, told=checked)
            total = max(self._proof.total, found.events)
            now = rfc3339(self._system.clock.now())
            self._proof = Proof("done", found.events, total, now, found)
        except _Ended:
            self._proof = replace(self._proof, state="failed", trouble=Trouble("the process was told to stop", ""))
        except Exception as error:  # noqa: BLE001 - told to whoever asks, and logged when it is not one of ours
            self._proof = replace(self._proof, state="failed", trouble=told(error))


@operation("operator")
def begin(system: IntegratedSystem, actor: Actor, prover: Prover) -> Proof:
    """Begin to prove the log whole. Nothing is changed by it, but it takes a processor for a while, so it is told who.

    Raises:
        StateError: the log cannot be written.
    """
    data = {"action": "events.verify", "actor": actor.name}
    system.events.append([NewEvent("action.invoked", "log", data, source="events")])
    return prover.begin()
