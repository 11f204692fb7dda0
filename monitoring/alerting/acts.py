"""What people do about incidents: take them, keep them quiet, declare them over. On the engine's state, uncommitted.

Times are seconds since 1970, as the engine has them.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from monitoring.alerting.incident import Incident
from monitoring.alerting.known_types import about
from monitoring.alerting.memory import Ongoing, Wrong, identity_of
from monitoring.alerting.silence import Matcher, Silence
from utils.event_patterns import matches
from utils.events.event import stamp

if TYPE_CHECKING:
    from monitoring.alerting.core import Core

__all__ = ["Acts"]


class Acts:
    """Changes what the engine remembers, and tells the log."""

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._memory = core.memory
        self._news = core.news

    def acknowledge(self, ongoing: Ongoing, by: str, until: float | None, comment: str) -> None:
        """Somebody sees to it: it is neither repeated nor escalated, until then or to its end."""
        ongoing.acknowledged_by, ongoing.comment = by, comment
        ongoing.acknowledged_until = None if until is None else stamp(until)
        ongoing.expires_at = until
        if until is not None:
            self._memory.at(until)
        self._news.emit("acknowledged", ongoing, actor=by, reason=comment)

    def resolve(self, ongoing: Ongoing, by: str, reason: str, at: float) -> Incident:
        """Somebody says that it is over. What is still wrong opens a new one when it is seen again."""
        return self._core.resolve(ongoing, at, actor=by, reason=reason or f"{by} declared it over")

    def add_silence(self, matcher: Matcher, since: float, until: float, by: str, reason: str) -> Silence:
        """Nobody is told of what matches, from then until then."""
        identity = identity_of(matcher.words, since, until, by, len(self._memory.silences))
        silence = Silence(identity, matcher, stamp(since), stamp(until), by, reason)
        self._memory.silences[identity] = silence
        self._memory.changed.add(("silence", identity))
        self._memory.at(since)
        self._news.silence("added", silence)
        return silence

    def end_silence(self, silence: Silence, at: float, *, by: str = "") -> Silence:
        """It ran out, or somebody takes it back: what it kept quiet, and is still wrong, is told."""
        ended = replace(silence, ended_at=stamp(at), ended_by=by)
        del self._memory.silences[silence.id]
        self._memory.changed.add(("silence", silence.id))
        self._news.silence("ended", ended)
        for ongoing in list(self._memory.ongoing.values()):
            if ongoing.silenced_by != silence.id:
                continue
            self._core.explaining.hush(ongoing, at)
            if ongoing.silenced_by is None:
                ongoing.notice = "begun" if ongoing.told_at is None else "again"
                self._news.tell_at(ongoing, at)
            self._news.emit("changed", ongoing, reason=f"the silence {silence.id} is over")
        return ended

    def hush(self, ongoing: Ongoing, at: float) -> None:
        """Keep it quiet if a silence says so."""
        self._core.explaining.hush(ongoing, at)
        if ongoing.silenced_by is not None:
            ongoing.notice_at = None
            silence = self._memory.silences[ongoing.silenced_by]
            self._news.emit("silenced", ongoing, actor=silence.by, reason=silence.reason)

    def tidy(self, at: float) -> None:
        """End what the configuration has no more: datasets, providers, channels, and rules."""
        setup, when = self._core.setup, stamp(at)
        for wrong in list(self._memory.wrongs.values()):
            rule = setup.by_name.get(wrong.rule)
            gone = self._is_gone(wrong) or rule is None or not matches(rule.when, wrong.type)
            if gone and wrong.key in self._memory.wrongs:
                self._core.end(wrong, when, at)

    def _is_gone(self, wrong: Wrong) -> bool:
        setup = self._core.setup
        if wrong.dataset:
            return setup.declared.provider_of(wrong.dataset) is None
        kind = about(wrong.type)
        if kind == "provider":
            return not setup.declared.is_provider(wrong.subject)
        return kind == "channel" and wrong.subject not in setup.channels
