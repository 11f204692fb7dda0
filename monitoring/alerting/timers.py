"""What happens because time goes by: what lasted long enough fires, notices go out, what was put off comes back."""

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from monitoring.alerting.flapping import WITHIN_S
from monitoring.alerting.freezing import frozen
from monitoring.alerting.memory import NEVER, Ongoing, Wrong, identity_of
from monitoring.alerting.news import GATHER_S
from monitoring.alerting.telling import Telling
from utils.events.event import stamp
from utils.wall_time import moment

if TYPE_CHECKING:
    from monitoring.alerting.core import Core

__all__ = ["DIGEST_AT", "MOMENT_S", "Timers"]

MOMENT_S = 3600.0
"""Seconds after which a thing is over that nothing else ends."""

DIGEST_AT = time(8)
"""When, in the zone of the installation, what was unlikely is told."""


class Timers:
    """Looks after everything that has a time."""

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._memory = core.memory
        self._news = core.news
        self._telling = Telling(core.setup, core.memory, core.news)

    def tick(self, at: float, *, quiet: bool = False, hurry: bool = False) -> None:
        """Do what is due. `quiet`: nobody is told anything; `hurry`: what is gathered for is told now."""
        memory = self._memory
        memory.due = NEVER
        self._silences(at)
        for key in list(memory.timed):
            self._wrong(key, at)
        for ongoing in list(memory.ongoing.values()):
            if ongoing.id in memory.ongoing:
                self._ongoing(ongoing, at, quiet=quiet, hurry=hurry)
        if not quiet:
            self._digest(at)
        for group, opened in list(memory.groups.items()):
            if at - opened[-1] >= WITHIN_S:
                del memory.groups[group]
                memory.changed.add(("group", group))
        memory.due = min(memory.due, self._next(at))

    def shift(self, seconds: float) -> None:
        """The clock jumped: all that was measured on it moves along. What people said (`until` then) stays."""
        memory = self._memory
        memory.meta.now += seconds
        for wrong in memory.wrongs.values():
            wrong.since_at += seconds
            wrong.last_at += seconds
            memory.touch(wrong)
        for ongoing in memory.ongoing.values():
            ongoing.opened += seconds
            ongoing.joined_at += seconds
            for name in ("notice_at", "emit_at", "repeat_at", "flap_over_at", "release_at", "escalate_from"):
                if (was := getattr(ongoing, name)) is not None:
                    setattr(ongoing, name, was + seconds)
            memory.touch(ongoing)
        for group, opened in memory.groups.items():
            memory.groups[group] = [one + seconds for one in opened]
            memory.changed.add(("group", group))
        if memory.meta.probe_at is not None:
            memory.meta.probe_at += seconds
        memory.due = 0.0

    def digest_after(self, at: float) -> None:
        """Something is noted: it is told at the next time for that."""
        memory = self._memory
        if memory.meta.digest_at is None:
            memory.meta.digest_at = self._digest_time(at)
        memory.at(memory.meta.digest_at)

    # --- details ----------------------------------------------------------------------------------

    def _silences(self, at: float) -> None:
        memory, now = self._memory, stamp(at)
        for silence in list(memory.silences.values()):
            if silence.until <= now:
                self._core.acts.end_silence(silence, at)
            elif silence.since <= now:
                for ongoing in memory.ongoing.values():
                    if ongoing.silenced_by is None:
                        self._core.acts.hush(ongoing, at)

    def _wrong(self, key: str, at: float) -> None:
        memory = self._memory
        wrong = memory.wrongs.get(key)
        rule = None if wrong is None else self._core.setup.by_name.get(wrong.rule)
        if wrong is None:
            memory.timed.discard(key)
        elif rule is None:  # the configuration has it no more
            self._core.end(wrong, stamp(at), at)
        elif wrong.place == "waiting" and wrong.row >= rule.consecutive and at - wrong.since_at >= rule.for_s:
            memory.timed.discard(key)
            self._core.fire(wrong, rule, at)
            if rule.is_moment:
                memory.timed.add(key)
        elif rule.is_moment and not rule.digest and at - wrong.last_at >= MOMENT_S:
            memory.timed.discard(key)
            self._core.end(wrong, stamp(at), at)
        elif not rule.is_moment and wrong.place != "waiting":
            memory.timed.discard(key)

    def _ongoing(self, ongoing: Ongoing, at: float, *, quiet: bool, hurry: bool) -> None:
        if ongoing.flap_over_at is not None and at >= ongoing.flap_over_at:
            self._core.settle(ongoing, at)
            if ongoing.id not in self._memory.ongoing:
                return
        if ongoing.release_at is not None and at >= ongoing.release_at:
            self._core.explaining.release(ongoing, at)
        if not quiet:
            self._telling.look(ongoing, at, early=GATHER_S if hurry else 0.0)

    def _digest(self, at: float) -> None:
        memory = self._memory
        if memory.meta.digest_at is None or at < memory.meta.digest_at:
            return
        memory.meta.digest_at = None
        noted = [one for one in memory.wrongs.values() if one.place == "noted"]
        if not noted:
            return
        day = datetime.fromtimestamp(at, self._core.setup.zone).date().isoformat()
        names = {one.rule for one in noted}
        first = min(noted, key=lambda one: one.since_at)
        identity = identity_of("digest", first.seq, at)
        digest = Ongoing(identity, "digest", day, f"digest:{day}", "info", stamp(at), at)
        digest.keys = [one.key for one in noted]
        digest.to = list(self._telling.channels([self._core.setup.by_name[name] for name in sorted(names)]))
        over = {"state": "resolved", "resolved_at": stamp(at), "told_at": stamp(at)}
        self._news.digest(frozen(digest, memory, self._core.setup, **over))
        for one in noted:
            memory.drop(one)

    def _digest_time(self, at: float) -> float:
        """The next one after a moment."""
        zone = self._core.setup.zone
        day = datetime.fromtimestamp(at, zone).date()
        while (found := moment(datetime.combine(day, DIGEST_AT), zone).timestamp()) <= at:
            day += timedelta(days=1)
        return found

    def _next(self, at: float) -> float:
        """When anything is due, by all that is known."""
        memory = self._memory
        times: list[float | None] = [memory.meta.probe_at, memory.meta.digest_at]
        times += [self._time_of(memory.wrongs[key]) for key in memory.timed if key in memory.wrongs]
        for silence in memory.silences.values():
            times += [_seconds(silence.since), _seconds(silence.until)]
        for one in memory.ongoing.values():
            times += [one.notice_at, one.emit_at, one.repeat_at, one.expires_at, one.flap_over_at, one.release_at]
            times.append(self._telling.escalates_at(one))
        return min((one for one in times if one is not None and one > at), default=NEVER)

    def _time_of(self, wrong: Wrong) -> float | None:
        rule = self._core.setup.by_name.get(wrong.rule)
        if rule is None:
            return 0.0
        if wrong.place == "waiting":
            return wrong.since_at + rule.for_s if wrong.row >= rule.consecutive else None
        return wrong.last_at + MOMENT_S if rule.is_moment and not rule.digest else None


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
