"""Who is told of an incident, and when: channels of its rules, their hours, repetitions, escalations."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from monitoring.alerting.freezing import rank, rules_in
from monitoring.alerting.incident import Notice
from monitoring.alerting.memory import Memory, Ongoing
from monitoring.alerting.news import News
from monitoring.alerting.rules import Escalation, Rule
from monitoring.alerting.setup import Setup

__all__ = ["Audience", "Telling"]


class Audience(NamedTuple):
    """Who may be told now; who only later, and when that is (seconds since 1970; None: never).

    `anybody`: somebody may be told now, be it only the file.
    """

    now: tuple[str, ...]
    later: tuple[str, ...]
    later_at: float | None
    anybody: bool


class Telling:
    """Looks at one incident after the other."""

    def __init__(self, setup: Setup, memory: Memory, news: News) -> None:
        self._setup = setup
        self._memory = memory
        self._news = news

    def look(self, ongoing: Ongoing, at: float, *, early: float = 0.0) -> None:
        """Do what is due. `early`: notices and changes that are due within so many seconds are due now."""
        if ongoing.expires_at is not None and at >= ongoing.expires_at:
            self._expire(ongoing, at)
        if ongoing.notice_at is not None and at + early >= ongoing.notice_at:
            self._tell(ongoing, at)
        if ongoing.repeat_at is not None and at >= ongoing.repeat_at:
            self._repeat(ongoing, at)
        if (when := self.escalates_at(ongoing)) is not None and at >= when:
            self._escalate(ongoing, at)
        if ongoing.emit_at is not None and at + early >= ongoing.emit_at:
            self._news.emit("changed", ongoing)

    def rules(self, ongoing: Ongoing) -> list[Rule]:
        """The rules that fired in it, as far as they are still there."""
        by_name = self._setup.by_name
        found = [by_name[name] for name in rules_in(ongoing, self._memory) if name in by_name]
        return [rule for rule in found if not (rule.joins or rule.digest)] or found

    def channels(self, rules: Iterable[Rule]) -> tuple[str, ...]:
        """Who is told by these rules; one that names nobody tells every channel."""
        return tuple(dict.fromkeys(name for rule in rules for name in rule.to or self._setup.channels))

    def audience(self, ongoing: Ongoing, at: float) -> Audience:
        """Who may be told of it at a moment. What is critical is told at any hour."""
        rules = self.rules(ongoing)
        now = datetime.fromtimestamp(at, UTC)
        open_, closed, opens = [], [], []
        for rule in rules:
            hours = None if rule.hours is None else self._setup.hours.get(rule.hours)
            if hours is None or ongoing.severity == "critical" or hours.is_open(now):
                open_.append(rule)
            else:
                closed.append(rule)
                if (when := hours.next_open(now)) is not None:
                    opens.append(when.timestamp())
        # That a channel takes nothing is told on the others.
        mute = ongoing.about if ongoing.kind == "channel" else ""
        told = tuple(name for name in self.channels(open_) if name != mute)
        later = tuple(name for name in self.channels(closed) if name not in told and name != mute)
        return Audience(told, later, min(opens, default=None), bool(open_) or not rules)

    def escalations(self, ongoing: Ongoing) -> Sequence[Escalation]:
        """The steps that its rules name, the earliest first."""
        return sorted({rule.escalate for rule in self.rules(ongoing) if rule.escalate is not None})

    def escalates_at(self, ongoing: Ongoing) -> float | None:
        """When the next step is due; None: there is none, or somebody sees to it."""
        if ongoing.escalate_from is None or ongoing.acknowledged_by or ongoing.silenced_by or ongoing.inhibited_by:
            return None
        steps = self.escalations(ongoing)
        return ongoing.escalate_from + steps[ongoing.step].after_s if ongoing.step < len(steps) else None

    # --- details ----------------------------------------------------------------------------------

    def _tell(self, ongoing: Ongoing, at: float) -> None:
        kind, ongoing.notice_at = ongoing.notice, None
        self._memory.touch(ongoing)
        if ongoing.inhibited_by or ongoing.silenced_by or kind is None:
            return
        audience = self.audience(ongoing, at)
        if not audience.anybody:
            ongoing.notice_at = audience.later_at
            return
        ongoing.notice = None
        if ongoing.told_at is None:
            flaps = ongoing.flapping
            notice = Notice("flapping" if flaps else "begun", audience.now)
            self._news.told("flapping" if flaps else "changed", ongoing, notice, at)
            ongoing.escalate_from = at
        elif kind == "worse" and rank(ongoing.severity) > rank(ongoing.told_severity):
            self._news.told("changed", ongoing, Notice("worse", _both(ongoing.to, audience.now)), at)
        elif kind == "again" and not ongoing.acknowledged_by:
            self._news.told("changed", ongoing, Notice("again", _both(ongoing.to, audience.now)), at)
        elif new := tuple(name for name in audience.now if name not in ongoing.to):
            self._news.told("changed", ongoing, Notice("begun", new), at)
        self._repeat_after(ongoing, at)
        if any(name not in ongoing.to for name in audience.later):
            ongoing.notice, ongoing.notice_at = "begun", audience.later_at

    def _repeat_after(self, ongoing: Ongoing, at: float) -> None:
        every = [rule.repeat_s for rule in self.rules(ongoing) if rule.repeat_s is not None]
        ongoing.repeat_at = at + min(every) if every else None
        self._memory.touch(ongoing)

    def _repeat(self, ongoing: Ongoing, at: float) -> None:
        ongoing.repeat_at = None
        self._memory.touch(ongoing)
        if ongoing.acknowledged_by or ongoing.silenced_by or ongoing.inhibited_by or ongoing.flapping:
            return  # when that is over it is told again, and repeated from then on
        audience = self.audience(ongoing, at)
        if not audience.anybody:
            ongoing.repeat_at = audience.later_at
            return
        self._news.told("changed", ongoing, Notice("again", tuple(ongoing.to)), at, reason="it lasts")
        self._repeat_after(ongoing, at)

    def _escalate(self, ongoing: Ongoing, at: float) -> None:
        to = self.escalations(ongoing)[ongoing.step].to
        ongoing.step += 1
        self._news.told("escalated", ongoing, Notice("escalated", to), at, reason="nobody acknowledged it")

    def _expire(self, ongoing: Ongoing, at: float) -> None:
        by, ongoing.acknowledged_by = ongoing.acknowledged_by, None
        ongoing.acknowledged_until = ongoing.expires_at = None
        reason = f"the acknowledgement of {by} ran out"
        if ongoing.told_at is None or ongoing.inhibited_by or ongoing.silenced_by:
            self._news.emit("unacknowledged", ongoing, reason=reason)
            return
        self._news.told("unacknowledged", ongoing, Notice("again", tuple(ongoing.to)), at, reason=reason)
        ongoing.escalate_from = at
        self._repeat_after(ongoing, at)


def _both(one: Iterable[str], other: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))
