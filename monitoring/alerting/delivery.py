"""Sends what the outbox has: each channel in a thread of its own, with a deadline, so that none holds up another."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import inf

from monitoring.alerting.channels import Outcome, Sending
from monitoring.alerting.letter import Letter
from monitoring.alerting.outbox import LONGEST_ASKED_S, LONGEST_PAUSE_S, Outbox
from monitoring.alerting.throttle import GATHER_S, WINDOW_S, Send, Summarise, Wait, Waiting, choose
from monitoring.alerting.turn import Turn
from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import StateError
from utils.logger import get_logger

__all__ = ["DEADLINE_S", "Delivery"]

DEADLINE_S = 30.0
"""Seconds that one call of a channel may take; then nobody knows whether it was sent, and it is tried again."""

MOST_HUNG = 3
"""Calls of one channel that may hang at the same time; then it is left alone until one of them comes back."""

IDLE_S, STANDBY_S, AGAIN_S = 3600.0, 5.0, 1.0


@dataclass(eq=False, slots=True)
class _Call:
    letter: Letter
    until: float
    given_up: bool = field(default=False)


class Delivery:
    """Works off the outbox. `step` is called again and again, by one thread; one process at a time sends.

    Args:
        channels: How to send, by name of the channel.
        turn: Says which process sends; None: nobody else does.
        deadline_s: Seconds that a call may take.
        gather_s: How long the last message of a window is kept back for others; 0.0: nothing else will come.
    """

    def __init__(
        self,
        outbox: Outbox,
        channels: Mapping[str, Sending],
        *,
        turn: Turn | None = None,
        clock: Clock = SYSTEM_CLOCK,
        deadline_s: float = DEADLINE_S,
        gather_s: float = GATHER_S,
    ) -> None:
        self._outbox = outbox
        self._channels = channels
        self._turn = turn
        self._clock = clock
        self._deadline_s = deadline_s
        self._gather_s = gather_s
        self._changed = threading.Condition()  # guards what follows
        self._calls: dict[str, _Call] = {}
        self._hung: dict[str, int] = {}
        self._unsettled: list[tuple[Letter, Outcome]] = []
        self._stands_by = False
        self._ended = 0  # how often something ended, or was new

    def step(self) -> float:
        """Begin what is due; gives the seconds until something is.

        Raises:
            StateError: the outbox cannot be read or written; what is being sent goes on.
        """
        self._settle_late()
        wait = self._give_up()
        with self._changed:  # before it is read: what ends meanwhile is seen as it was
            busy = {channel: call.letter.key for channel, call in self._calls.items()}
        letters = self._outbox.undelivered()
        if not letters:
            self._give()
            return IDLE_S
        self._stands_by = self._turn is not None and not self._turn.take()
        if self._stands_by:
            return STANDBY_S
        if self._free([one for one in letters if one.state == "sending" and busy.get(one.channel) != one.key]):
            return 0.0
        kept_back = self._outbox.kept_back([one for one in letters if one.message.kind == "summary"])
        now = self._clock.time()
        told = self._outbox.told(now - WINDOW_S)
        for channel, group in groupby(letters, lambda one: one.channel):
            if channel not in busy and self._hung.get(channel, 0) < MOST_HUNG:
                waiting = [one for one in group if (channel, one.thread) not in kept_back]
                wait = min(wait, self._work(channel, waiting, told.get(channel, []), now))
        return wait

    def drain(self, within_s: float) -> None:
        """Send what waits, for so many seconds at most; what is left stays for the next time."""
        over = self._clock.monotonic() + within_s
        while True:
            seen = self._ended
            wait = self.step()
            left = over - self._clock.monotonic()
            if self._calls or self._ended != seen:
                self.wait(min(wait, max(left, AGAIN_S)), seen)
                if left <= 0.0 and self._ended == seen:
                    return
            elif wait > left or self._stands_by:
                return
            else:
                self._clock.sleep(wait)

    def wait(self, seconds: float, seen: int | None = None) -> None:
        """Until something that is being sent has ended (since `seen` had), or `wake` is called; so long at most."""
        with self._changed:
            seen = self._ended if seen is None else seen
            self._changed.wait_for(lambda: self._ended != seen, seconds)

    @property
    def ended(self) -> int:
        """How often something ended or was new, to be given to `wait`: what ends before that is not missed."""
        return self._ended

    def wake(self) -> None:
        """There is something new in the outbox."""
        with self._changed:
            self._ended += 1
            self._changed.notify_all()

    def close(self, within_s: float = 5.0) -> None:
        """Let another process send. What hangs is left behind: it is tried again, with the same key."""
        with self._changed:
            self._changed.wait_for(lambda: not self._calls, within_s)
        try:
            self._settle_late()
        finally:  # on a full disk as well: who kept the turn would keep it as long as this process lives
            self._give()

    def _give(self) -> None:
        if self._turn is not None and not self._calls:
            self._turn.give()

    # --- one channel ----------------------------------------------------------------------------

    def _work(self, channel: str, letters: Sequence[Letter], told: Sequence[float], now: float) -> float:
        """Begin what is due at a channel; gives the seconds until something is."""
        by_key = {one.key: one for one in letters}
        both = self._both(letters)
        waiting = [_waiting(one, now) for one in letters if both.get(one.thread, one) is one]
        # Those that an end will tell with it have been tried, too: their pause is the channel's.
        due = max((_waiting(one, now).due for one in letters), default=0.0)
        match Wait(due) if due > now else choose(waiting, told, now, gather_s=self._gather_s):
            case None:
                return IDLE_S
            case Wait(until):
                return max(0.0, until - now)
            case Summarise(keys):
                for end in both.values():
                    self._outbox.merge(end)
                self._outbox.summarise([one for one in self._outbox.undelivered() if one.key in keys])
                return 0.0
            case Send(key):
                letter = by_key[key]
                if letter.thread in both:
                    self._outbox.merge(letter)
                    (letter,) = (one for one in self._outbox.undelivered() if one.key == key)
                return self._begin(letter)

    def _both(self, letters: Sequence[Letter]) -> dict[str, Letter]:
        """The ends whose beginnings nobody was told, by thread: one message tells both."""
        ends = [one for one in letters if one.message.kind == "resolved" and one.told_at is None]
        begun = self._outbox.begun(ends)
        return {one.thread: one for one in ends if (one.channel, one.thread) not in begun}

    def _begin(self, letter: Letter) -> float:
        send = self._channels.get(letter.channel)
        if send is None:
            known = ", ".join(sorted(self._channels)) or "none"
            told = f"there is no channel `{letter.channel}` in the configuration any more; there are: {known}"
            self._outbox.settle(letter, Outcome("refused", told))
            return 0.0
        self._outbox.claim(letter)
        call = _Call(letter, self._clock.monotonic() + self._deadline_s)
        with self._changed:
            self._calls[letter.channel] = call
        name = f"alert:{letter.channel}"
        threading.Thread(target=self._call, args=(call, send), name=name, daemon=True).start()
        return self._deadline_s

    def _call(self, call: _Call, send: Sending) -> None:
        letter = call.letter
        try:
            outcome = send(letter.message, letter.key)
        except Exception as error:  # noqa: BLE001 - a way of sending of somebody else's: told as a failed try
            outcome = Outcome("failed", f"{type(error).__name__}: {error}")
        with self._changed:
            if call.given_up:
                self._hung[letter.channel] -= 1
        if not call.given_up or outcome.state == "sent":
            self._note(letter, outcome)
        with self._changed:
            if self._calls.get(letter.channel) is call:
                del self._calls[letter.channel]
        self.wake()

    def _note(self, letter: Letter, outcome: Outcome) -> None:
        log = get_logger("alerts")
        if outcome.state != "sent":
            log.warning("alert.not_sent", channel=letter.channel, attempts=letter.attempts + 1, reason=outcome.error)
        try:
            self._outbox.settle(letter, outcome)
        except StateError as error:
            log.warning("alert.not_noted", channel=letter.channel, outcome=outcome.state, reason=str(error))
            with self._changed:
                self._unsettled.append((letter, outcome))

    def _settle_late(self) -> None:
        """What could not be written down when it was known."""
        while self._unsettled:
            letter, outcome = self._unsettled[0]
            self._outbox.settle(letter, outcome)
            self._unsettled.pop(0)

    # --- calls that hang ------------------------------------------------------------------------

    def _give_up(self) -> float:
        """Give up calls past their deadline; gives the seconds until the next one would be."""
        now, wait = self._clock.monotonic(), inf
        late = []
        with self._changed:
            for channel, call in list(self._calls.items()):
                if call.until > now:
                    wait = min(wait, call.until - now)
                else:
                    call.given_up = True
                    self._hung[channel] = self._hung.get(channel, 0) + 1
                    late.append(self._calls.pop(channel))
        for call in late:
            told = f"no answer within {self._deadline_s:g} s: nobody knows whether it was sent"
            self._note(call.letter, Outcome("unknown", told))
        return min(wait, IDLE_S)

    def _free(self, left: Sequence[Letter]) -> bool:
        """Have those tried again that a process was sending when it died; whether there are any."""
        told = "its process ended while it was being sent: nobody knows whether it was"
        for letter in left:
            self._note(letter, Outcome("unknown", told))
        return bool(left)


def _waiting(letter: Letter, now: float) -> Waiting:
    """What is due far in the future was written by a clock that was set back: it is due."""
    due = letter.next_try if letter.next_try - now <= max(2 * LONGEST_PAUSE_S, LONGEST_ASKED_S) else now
    asked = letter.not_before if letter.not_before - now <= LONGEST_ASKED_S else now
    return Waiting(
        letter.key,
        letter.thread,
        letter.place,
        letter.severity,
        letter.created,
        due=max(due, asked) if letter.attempts else 0.0,
        attempts=letter.attempts,
        told=letter.told_at is not None,
    )
