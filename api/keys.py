"""The tokens that open the door, as they were a moment ago; and when each was used last."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.asking import Asking
from operations.tokens import Keyring, Token, keyring, used

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Keys"]

FRESH_S = 1.0
"""So old may be what lets in who only looks, as long as nobody heard of a commit since."""

USED_S = 60.0
"""How exactly it is kept when a token was used last."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What was found; when it was begun to look, in seconds of the clock, and after how many commits."""

    ring: Keyring
    begun_at: float
    heard: int | None


class Keys:
    """The tokens of one installation, read in a thread, once for all who ask meanwhile.

    Args:
        heard: How many commits, by any process, were heard of by now; None: nobody listens.
    """

    def __init__(self, asking: Asking, heard: Callable[[], int | None]) -> None:
        self._asking = asking
        self._heard = heard
        self._clock = asking.system.clock
        self._last: _Look | None = None
        self._looking: asyncio.Task[_Look] | None = None
        self._noted: dict[str, float] = {}
        self._noting: set[asyncio.Task[None]] = set()

    def now(self) -> "datetime":
        return self._clock.now()

    async def ring(self, *, at_once: bool) -> Keyring:
        """The tokens. `at_once`: as they are now, not as they were a moment ago.

        Raises:
            StateError: the database cannot be asked. Nobody gets in then.
        """
        asked_at = self._clock.monotonic()
        while self._last is None or self._is_old(self._last, asked_at, at_once):
            if self._looking is None:
                self._looking = asyncio.create_task(self._look())
                self._looking.add_done_callback(self._looked)
            self._last = await asyncio.shield(self._looking)
        return self._last.ring

    def _is_old(self, look: _Look, asked_at: float, at_once: bool) -> bool:
        age = asked_at - look.begun_at
        if at_once or look.heard is None:
            return age > 0.0
        return look.heard != self._heard() or age > FRESH_S

    def note_use(self, token: Token) -> None:
        """It is used now: kept about once a minute, while nobody waits for it."""
        now = self._clock.monotonic()
        if now - self._noted.get(token.id, -USED_S) < USED_S:
            return
        self._noted[token.id] = now
        task = asyncio.create_task(self._note(token))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def _look(self) -> _Look:
        begun_at, heard = self._clock.monotonic(), self._heard()
        return _Look(await self._asking.call(lambda: keyring(self._asking.system)), begun_at, heard)

    def _looked(self, task: "asyncio.Task[_Look]") -> None:
        self._looking = None
        if not task.cancelled():
            task.exception()  # whoever waited has it

    async def _note(self, token: Token) -> None:
        with contextlib.suppress(Exception):  # a figure for people: the request does not depend on it
            await self._asking.call(lambda: used(self._asking.system, token))
