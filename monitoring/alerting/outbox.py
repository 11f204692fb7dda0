"""What is to be sent, to whom, and how far that is: a table, so that neither a kill nor an outage loses a message.

A message is sent at least once. Each has a key that stays the same over all tries, so a receiver that heeds it sees it
once also when a try ended without an answer.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import orjson

from monitoring.alerting.bundles import begun_and_over, summary
from monitoring.alerting.channels import Outcome
from monitoring.alerting.letter import SELECT, ChannelStanding, Letter, Post, letter_of
from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import Connection, Database
from utils.events import NewEvent, uuid7
from utils.leases import this_process

__all__ = ["DEAD_AFTER_S", "Outbox", "Recording", "pause_after"]

FIRST_PAUSE_S, LONGEST_PAUSE_S, JITTER = 1.0, 300.0, 0.2
LONGEST_ASKED_S = 3600.0
"""The longest `Retry-After` that is heeded, in seconds."""

DEAD_AFTER_S, DEAD_AFTER_TRIES = 3 * 86_400.0, 10
"""A message that nobody took for so long, in so many tries, is a dead letter: kept, shown, and sent when asked."""

DOWN_AFTER_S = 60.0
"""Seconds of failed tries after which a channel counts as down; that is told once, until it takes a message again."""

KEPT_S = 90 * 86_400.0
"""Seconds for which what was sent is kept."""

_DAY_S = 86_400.0
_STANDING = (
    "SELECT channel, CASE state WHEN 'dead' THEN 'dead' ELSE 'waiting' END AS how, count(*), min(failing_since), "
    "max(error) FROM alert_outbox WHERE state IN ('waiting', 'sending') OR (state = 'dead' AND created >= ?) "
    "GROUP BY channel, how ORDER BY channel, how DESC"
)
_UNDELIVERED = f"{SELECT} WHERE state IN ('waiting', 'sending') ORDER BY channel, place, key"
_VALUES = (
    "SELECT ?1, ?2, ?3, CAST(?4 AS BIGINT), ?5, ?6, 'waiting', 0, CAST(?7 AS DOUBLE PRECISION),"
    " CAST(?8 AS DOUBLE PRECISION), 0.0, NULL, NULL, 0, '', '', '', ?9"
)
_INTO = (
    "INSERT INTO alert_outbox (key, channel, thread, place, kind, severity, state, attempts, created, next_try,"
    " not_before, told_at, failing_since, reported, error, into_key, owner, message)"
)
# The end is for those who were meant to get a beginning; nobody else hears of it.
_BEGUN = "EXISTS (SELECT 1 FROM alert_outbox WHERE thread = ?3 AND channel = ?2)"
_PUT = f"{_INTO} {_VALUES} WHERE true ON CONFLICT (key) DO NOTHING"
_PUT_END = f"{_INTO} {_VALUES} WHERE {_BEGUN} ON CONFLICT (key) DO NOTHING"
_TOLD = "(told_at IS NOT NULL OR state IN ('sent', 'sending', 'summarised'))"


Recording = Callable[[Sequence[NewEvent], Callable[[Connection], None]], object]
"""Runs a change in a transaction, with events in the same commit where there is a log."""


def pause_after(attempts: int, chance: float) -> float:
    """Seconds until the next try: 1 after the first, each time twice as long, 300 at most, and up to a fifth more.

    >>> [pause_after(tries, 0.0) for tries in (1, 2, 3, 9, 10, 1000)]
    [1.0, 2.0, 4.0, 256.0, 300.0, 300.0]
    """
    return float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(attempts - 1, 20)) * (1.0 + JITTER * chance))


class Outbox:
    """The table, and what happens to its rows. One process at a time sends (`delivery.py`); any may put and look.

    All methods raise `StateError` when the database cannot be used.

    Args:
        record: How changes are committed: together with the events that tell of them, when there is a log.
        rng: Where jitter comes from.
    """

    def __init__(
        self, database: Database, record: Recording, *, clock: Clock = SYSTEM_CLOCK, rng: random.Random | None = None
    ) -> None:
        self._database = database
        self._record = record
        self._clock = clock
        self._rng = rng or random.Random()

    def put(self, posts: Iterable[Post], events: Sequence[NewEvent] = ()) -> None:
        """Have these sent. One whose key is there already is not put again; an end without a beginning is nobody's."""
        now = self._clock.time()
        rows = [
            (
                _PUT_END if one.message.kind == "resolved" else _PUT,
                (
                    *(one.key, one.channel, one.thread, one.place, one.message.kind, one.message.severity, now, now),
                    orjson.dumps(one.message.to_json()).decode(),
                ),
            )
            for one in posts
        ]

        def change(connection: Connection) -> None:
            for sql, values in rows:
                connection.execute(sql, values)
            self._database.announce(connection)

        if rows or events:
            self._record(events, change)

    # --- what there is --------------------------------------------------------------------------

    def undelivered(self) -> list[Letter]:
        """What waits or is being sent, by channel and in order."""
        return self._letters(_UNDELIVERED)

    def anything(self) -> bool:
        """Whether anything waits: quicker than to read it."""
        return bool(self._database.query("SELECT 1 FROM alert_outbox WHERE state IN ('waiting', 'sending') LIMIT 1"))

    def dead(self) -> list[Letter]:
        """What nobody took, the oldest first."""
        return self._letters(f"{SELECT} WHERE state = 'dead' ORDER BY created, key")

    def one(self, key: str) -> Letter | None:
        """The one with this key."""
        return next(iter(self._letters(f"{SELECT} WHERE key = ?", (key,))), None)

    def of_thread(self, thread: str) -> list[Letter]:
        """Everything about one incident, by channel and in order."""
        return self._letters(f"{SELECT} WHERE thread = ? ORDER BY channel, place, key", (thread,))

    def recent(self, limit: int = 50) -> list[Letter]:
        """The newest, the newest first."""
        return self._letters(f"{SELECT} ORDER BY created DESC, key LIMIT ?", (limit,))

    def sent(self, limit: int = 50) -> list[Letter]:
        """What was sent, the latest first."""
        return self._letters(f"{SELECT} WHERE state = 'sent' ORDER BY told_at DESC, key LIMIT ?", (limit,))

    def last_sent(self) -> dict[str, float]:
        """When each channel took a message last, seconds since the epoch."""
        asked = "SELECT channel, max(told_at) FROM alert_outbox WHERE state = 'sent' GROUP BY channel"
        return dict(self._database.query(asked))

    def standing(self) -> list[ChannelStanding]:
        """How those channels stand for which something waits, or died within a day; by name."""
        rows = self._database.query(_STANDING, (self._clock.time() - _DAY_S,))
        found: dict[str, ChannelStanding] = {}
        for channel, state, count, failing_since, error in rows:
            before = found.get(channel, ChannelStanding(channel, 0, 0, None, ""))
            if state == "dead":
                found[channel] = replace(before, dead=count, error=before.error or error)
            else:
                found[channel] = replace(before, waiting=count, failing_since=failing_since, error=error)
        return [found[name] for name in sorted(found)]

    def told(self, since: float) -> dict[str, list[float]]:
        """When each channel was told something since then."""
        found: dict[str, list[float]] = {}
        asked = "SELECT channel, told_at FROM alert_outbox WHERE told_at >= ?"
        for channel, moment in self._database.query(asked, (since,)):
            found.setdefault(channel, []).append(moment)
        return found

    def begun(self, letters: Sequence[Letter]) -> set[tuple[str, str]]:
        """Channel and thread of those of which the channel may have heard already."""
        wanted = sorted({one.thread for one in letters})
        marks = ", ".join("?" * len(wanted))
        sql = f"SELECT DISTINCT channel, thread FROM alert_outbox WHERE thread IN ({marks}) AND {_TOLD}"  # noqa: S608 - our own
        return {(channel, thread) for channel, thread in self._database.query(sql, wanted)} if wanted else set()

    def kept_back(self, summaries: Sequence[Letter]) -> set[tuple[str, str]]:
        """Channel and thread of what goes out with one of these summaries: what comes after it has to wait for that."""
        found: set[tuple[str, str]] = set()
        for one in summaries:
            rows = self._database.query("SELECT channel, thread FROM alert_outbox WHERE into_key = ?", (one.key,))
            found |= {(channel, thread) for channel, thread in rows}
        return found

    def _letters(self, sql: str, values: Sequence[Any] = ()) -> list[Letter]:
        return [letter_of(row) for row in self._database.query(sql, values)]

    # --- what happens to it ---------------------------------------------------------------------

    def hasten(self) -> None:
        """Whatever waits is due now, unless a service asked us to wait."""
        self._change("UPDATE alert_outbox SET next_try = 0.0 WHERE state = 'waiting' AND next_try > 0.0")

    def claim(self, letter: Letter) -> None:
        """It is being sent, by this process."""
        self._change(
            "UPDATE alert_outbox SET state = 'sending', owner = ? WHERE key = ? AND state = 'waiting'",
            (str(this_process()), letter.key),
        )

    def merge(self, end: Letter) -> None:
        """Nobody was told the beginning: let the end tell both."""

        def change(connection: Connection) -> None:
            rows = connection.execute(
                f"{SELECT} WHERE thread = ? AND channel = ? AND state IN ('waiting', 'dead') ORDER BY place, key",
                (end.thread, end.channel),
            ).fetchall()
            before = [one for one in map(letter_of, rows) if one.key != end.key and one.place <= end.place]
            if not before:
                return
            first = before[0]
            both = orjson.dumps(begun_and_over(first.message, end.message).to_json()).decode()
            connection.execute(
                "UPDATE alert_outbox SET message = ?, created = ?, attempts = ?, failing_since = ?, reported = ? "
                "WHERE key = ? AND state = 'waiting'",
                (both, first.created, first.attempts, first.failing_since, int(first.reported), end.key),
            )
            into = "UPDATE alert_outbox SET state = 'merged', into_key = ?, reported = 0 WHERE key = ?"
            connection.executemany(into, [(end.key, one.key) for one in before])

        self._record([], change)

    def summarise(self, letters: Sequence[Letter]) -> None:
        """Put these, all of one channel, into one."""
        last = max(letters, key=lambda one: (one.place, one.key))
        failing = [one.failing_since for one in letters if one.failing_since is not None]
        whole = summary([one.message for one in letters])
        key = f"summary-{uuid7(self._clock.time())}"
        values = (
            *(key, last.channel, key, last.place, "summary", whole.severity, min(one.created for one in letters), 0.0),
            orjson.dumps(whole.to_json()).decode(),
        )

        def change(connection: Connection) -> None:
            connection.execute(_PUT, values)
            connection.execute(
                "UPDATE alert_outbox SET attempts = ?, failing_since = ?, reported = ? WHERE key = ?",
                (
                    max(one.attempts for one in letters),
                    min(failing, default=None),
                    int(any(one.reported for one in letters)),
                    key,
                ),
            )
            into = "UPDATE alert_outbox SET state = 'summarised', into_key = ?, reported = 0 WHERE key = ?"
            connection.executemany(into, [(key, one.key) for one in letters])

        self._record([], change)

    def settle(self, letter: Letter, outcome: Outcome) -> None:
        """Note what came of a try, with the event that tells of it."""
        now = self._clock.time()
        attempts = letter.attempts + 1
        if outcome.state == "sent":
            down = {"down_s": round(now - letter.failing_since, 3)} if letter.reported and letter.failing_since else {}
            event = self._event("alert.sent", letter, {"attempts": attempts, **down})
            change = "state = 'sent', attempts = ?, told_at = ?, error = '', reported = 0"
            self._change(f"UPDATE alert_outbox SET {change} {_OPEN}", (attempts, now, letter.key), [event])  # noqa: S608 - our own
            return
        since = now if letter.failing_since is None else letter.failing_since
        old = now - letter.created > DEAD_AFTER_S and attempts >= DEAD_AFTER_TRIES
        dead = outcome.state == "refused" or old
        down_now = not letter.reported and now - since >= DOWN_AFTER_S and not self._is_down(letter.channel)
        pause = pause_after(attempts, self._rng.random())
        told = now if outcome.state == "unknown" else letter.told_at
        events = []
        if dead or down_now:
            said = {"attempts": attempts, "error": outcome.error, "dead": dead, "failing_s": round(now - since, 3)}
            events.append(self._event("alert.failed", letter, said))
        change = (
            "state = ?, attempts = ?, told_at = ?, failing_since = ?, error = ?, next_try = ?, not_before = ?, "
            "reported = ?, owner = ''"
        )
        asked = min(max(outcome.retry_after or 0.0, _in_doubt(letter, outcome)), LONGEST_ASKED_S)
        values = (
            "dead" if dead else "waiting",
            *(attempts, told, since, outcome.error, now + max(pause, asked), now + asked if asked else 0.0),
            *(int(not dead and (letter.reported or down_now)), letter.key),
        )
        self._change(f"UPDATE alert_outbox SET {change} {_OPEN}", values, events)  # noqa: S608 - our own
        if dead and letter.message.kind == "summary":
            self._take_apart(letter, outcome.error)

    def _take_apart(self, letter: Letter, error: str) -> None:
        """Nobody took a summary: nobody was told what is in it, and that is what may be sent again."""

        def change(connection: Connection) -> None:
            change = "UPDATE alert_outbox SET state = 'dead', into_key = '', error = ?"
            connection.execute(f"{change} WHERE into_key = ? AND state = 'summarised'", (error, letter.key))
            connection.execute("DELETE FROM alert_outbox WHERE key = ?", (letter.key,))

        self._record([], change)

    def resend(self, keys: Sequence[str] | None = None, *, actor: str = "") -> int:
        """Try dead letters once more (None: all of them), as if they were new; gives how many there are."""
        found = [one for one in self.dead() if keys is None or one.key in keys]
        now = self._clock.time()

        def change(connection: Connection) -> None:
            again = (
                "UPDATE alert_outbox SET state = 'waiting', attempts = 0, created = ?, next_try = 0.0,"
                " not_before = 0.0, failing_since = NULL WHERE key = ? AND state = 'dead'"
            )
            connection.executemany(again, [(now, one.key) for one in found])
            self._database.announce(connection)

        if found:
            self._record([self._event("alert.resent", one, {"actor": actor}) for one in found], change)
        return len(found)

    def forget(self) -> int:
        """Drop what was sent long ago; dead letters stay. Gives how many rows that were."""
        before = self._clock.time() - KEPT_S
        which = "FROM alert_outbox WHERE created < ? AND state IN ('sent', 'merged', 'summarised')"
        ((count,),) = self._database.query(f"SELECT count(*) {which}", (before,))
        if count:
            self._change(f"DELETE {which}", (before,))
        return int(count)

    def _is_down(self, channel: str) -> bool:
        asked = "SELECT 1 FROM alert_outbox WHERE channel = ? AND reported = 1 AND state IN ('waiting', 'sending')"
        return bool(self._database.query(asked, (channel,)))

    def _change(self, sql: str, values: Sequence[Any] = (), events: Sequence[NewEvent] = ()) -> None:
        def change(connection: Connection) -> None:
            connection.execute(sql, values)

        self._record(events, change)

    @staticmethod
    def _event(kind: str, letter: Letter, data: dict[str, Any]) -> NewEvent:
        about = {"message": letter.key, "kind": letter.message.kind, "severity": letter.severity}
        if letter.message.incident:
            about["incident"] = letter.message.incident
        return NewEvent(kind, letter.channel, {**about, **data}, source="alerting")


def _in_doubt(letter: Letter, outcome: Outcome) -> float:
    """Seconds for which a service is left alone that did not answer twice: it may well have told people each time.

    That a process died meanwhile (it had it as `sending`) says nothing about the service.
    """
    if outcome.state != "unknown" or letter.told_at is None or letter.state == "sending":
        return 0.0
    return LONGEST_PAUSE_S


_OPEN = "WHERE key = ? AND state IN ('waiting', 'sending')"
