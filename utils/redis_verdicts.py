"""The breakers' verdicts and trials, shared by the processes of an installation on many machines, in a Redis."""

import json
from collections.abc import Callable
from typing import Any

from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import StateError
from utils.redis_fields import TRIES, Field, RedisFields
from utils.resilience.shared_state import Verdict
from utils.resilience.trial import Lent, Trial

__all__ = ["LOOK_EVERY_S", "RedisVerdicts"]

LOOK_EVERY_S = 0.1
"""Between two looks whether anything changed, for all circuits of a process together."""


class RedisVerdicts:
    """`SharedState` over Redis. While it is away every method raises, and each breaker's own decision stands.

    Moments of trials are kept in the server's time, for monotonic clocks of two machines have nothing in common.
    """

    def __init__(self, fields: RedisFields, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._fields = fields
        self._monotonic = clock.monotonic
        self._known: tuple[int, dict[str, Verdict]] = (-1, {})
        self._version, self._look_at = -1, float("-inf")

    def load(self, name: str) -> Verdict | None:
        version = self.version()
        if self._known[0] != version:
            self._known = (version, self.all())
        return self._known[1].get(name)

    def all(self) -> dict[str, Verdict]:
        """Every verdict by name."""
        found = {name: self._read(field) for name, field in sorted(self._fields.all().items())}
        return {name: verdict for name, verdict in found.items() if verdict is not None}

    def change(self, name: str, step: Callable[[Verdict | None], Verdict]) -> None:
        for _ in range(TRIES):
            field = self._fields.read(name)
            stored = self._read(field)
            verdict = step(stored)
            if verdict == stored or self._fields.swap(name, field.value, self._written(verdict, field)):
                return
        raise StateError(f"the verdict of {name} is changed by others all the time", transient=True)

    def save(self, name: str, verdict: Verdict) -> None:
        """Replace the verdict of `name`, whatever it was: by hand."""
        self.change(name, lambda _: verdict)

    def version(self) -> int:
        now = self._monotonic()
        if now >= self._look_at:
            self._version = int.from_bytes(self._fields.changed(), "big")
            self._look_at = now + LOOK_EVERY_S
        return self._version

    # --- details ------------------------------------------------------------------------------

    def _written(self, verdict: Verdict, field: Field) -> bytes:
        trial = verdict.trial
        told: dict[str, Any] = {
            "state": verdict.state,
            "opened_at": verdict.opened_at,
            "open_until": verdict.open_until,
            "times_opened": verdict.times_opened,
            "reason": verdict.reason,
            "held": verdict.held,
            "trial": trial
            and {
                "began": field.there(trial.began),
                "lent": [(lent.permit, field.there(lent.at)) for lent in trial.lent],
                "codes": trial.codes,
            },
        }
        return json.dumps(told).encode()

    def _read(self, field: Field) -> Verdict | None:
        """None for one that was damaged: that counts as none, and the next decision replaces it."""
        if field.value is None:
            return None
        now = self._monotonic()

        def here(moment: int) -> float:
            # Nothing was lent in the future: two clocks are compared to within the way there and back.
            return min(field.here(moment), now)

        try:
            told = json.loads(field.value)
            trial = told.pop("trial")
            if trial is not None:
                lent = tuple(Lent(str(permit), here(at)) for permit, at in trial["lent"])
                trial = Trial(here(trial["began"]), lent, tuple(int(code) for code in trial["codes"]))
            numbers = (float(told["opened_at"]), float(told["open_until"]), int(told["times_opened"]))
            return Verdict(told["state"], *numbers, str(told["reason"]), bool(told["held"]), trial)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
