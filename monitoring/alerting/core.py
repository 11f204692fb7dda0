"""Events in, incidents out: what is wrong, what belongs together, when it is over. Nothing is read or written here.

The state is a `Memory`; the same memory, events and times give the same incidents. What is to be told when time has
gone by is seen to by `Timers`, what explains what by `Explaining`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from monitoring.alerting.acts import Acts
from monitoring.alerting.explaining import PROBED, Explaining
from monitoring.alerting.flapping import WITHIN_S, flaps, quiet_s
from monitoring.alerting.freezing import rank
from monitoring.alerting.grouping import home, is_ours
from monitoring.alerting.incident import Incident
from monitoring.alerting.known_types import about
from monitoring.alerting.memory import Memory, Ongoing, Wrong, identity_of
from monitoring.alerting.news import News
from monitoring.alerting.rules import Clear, Rule
from monitoring.alerting.setup import Setup
from monitoring.alerting.timers import MOMENT_S, Timers
from utils.event_patterns import matches
from utils.events.event import Event, NewEvent, stamp

__all__ = ["Core"]

LONGEST_TEXT = 500
"""Characters of a text in an event's data that a cause keeps."""

KEPT_FIELDS = 40


class _Reacting(NamedTuple):
    """Who reacts to a type of events."""

    raising: tuple[Rule, ...]
    clearing: tuple[tuple[Rule, Clear], ...]


class Core:
    """The engine without its log and its clock.

    Attributes:
        memory: The state.
        news: Events to be appended, in order.
        untold: Fields that conditions asked for and events did not have, by rule: told once each.
    """

    def __init__(self, setup: Setup, memory: Memory | None = None) -> None:
        self.setup = setup
        self.memory = memory or Memory()
        self.news = News(setup, self.memory)
        self.explaining = Explaining(self)
        self.acts = Acts(self)
        self.timers = Timers(self)
        self.untold: dict[str, list[str]] = {}
        self._reacting: dict[str, _Reacting] = {}

    # --- events -----------------------------------------------------------------------------------

    def concerns(self, kind: str) -> bool:
        """Whether an event of this type may change anything now."""
        found = self._of(kind)
        return bool(found.raising) or (bool(found.clearing) and bool(self.memory.wrongs))

    def take(self, event: Event, now: float) -> None:
        """An event of the log; `now`: seconds since 1970. Events come in the order of the log, each once."""
        memory = self.memory
        memory.meta.seq = event.seq
        raising, clearing = self._of(event.type)
        if not raising and not (clearing and memory.wrongs):
            return
        at = self._pass_to(min(datetime.fromisoformat(event.time).timestamp(), now))
        if at >= memory.due:
            self.timers.tick(at, quiet=event.seq <= memory.meta.quiet_until)
        for rule in raising:
            self._raise(rule, event, at)
        for rule, clear in clearing:
            self._clear(rule, clear, event, at)

    def tick(self, now: float, *, hurry: bool = False) -> None:
        """Time has gone by. `hurry`: nothing more will come soon, so that nothing is waited for to be told together."""
        self.timers.tick(self._pass_to(now), hurry=hurry)

    def shift(self, seconds: float) -> None:
        """Our clock jumped by so many seconds: what was measured goes on from there."""
        self.timers.shift(seconds)

    def drain(self) -> list[NewEvent]:
        """The events to be appended; they are given once."""
        return self.news.drain()

    # --- what is wrong ----------------------------------------------------------------------------

    def fire(self, wrong: Wrong, rule: Rule, at: float) -> None:
        """Its time or number has come: it opens an incident, or is a part of one."""
        ongoing = self._home(wrong)
        if ongoing is None and (rule.joins or rule.digest):
            self.memory.set_apart(wrong, "latent" if rule.joins else "noted")
            if rule.digest:
                self.timers.digest_after(at)
        elif ongoing is None:
            self._open(wrong, rule, at)
        else:
            self._attach(ongoing, wrong, rule, at)

    def announce(self, ongoing: Ongoing, at: float) -> None:
        """An incident was opened: look what explains it, tell the log, and look what it explains."""
        self.explaining.before(ongoing, at)
        self.news.opened(ongoing, at)
        self.explaining.after(ongoing, at)

    def end(self, wrong: Wrong, when: str, at: float) -> None:
        """One thing is not wrong any more, since `when` (RFC 3339)."""
        memory = self.memory
        wrong.row = 0
        if wrong.place != "firing":
            memory.drop(wrong)
        elif wrong.over is None:
            wrong.over = when
            memory.touch(wrong)
            self.settle(memory.ongoing[wrong.incident], at)

    def settle(self, ongoing: Ongoing, at: float) -> None:
        """Resolve it if nothing in it is wrong any more."""
        if self._holds(ongoing):
            self.news.changed(ongoing, at)
        elif ongoing.flapping and ongoing.flap_over_at is None:
            ongoing.flap_over_at = at + quiet_s(self.memory.groups.get(ongoing.group, ()))
            self.memory.at(ongoing.flap_over_at)
            self.news.changed(ongoing, at)
        elif not ongoing.flapping or (ongoing.flap_over_at or at) <= at:
            self.resolve(ongoing, at)

    def resolve(self, ongoing: Ongoing, at: float, *, actor: str = "", reason: str = "") -> Incident:
        """It is over; whoever was told that it began is told."""
        incident = self.news.resolved(ongoing, at, actor=actor, reason=reason)
        self.memory.finish(ongoing)
        parent = self.explaining.over(ongoing, incident, at)
        if parent is not None:
            self.settle(parent, at)
        return incident

    # --- details ----------------------------------------------------------------------------------

    def _of(self, kind: str) -> _Reacting:
        found = self._reacting.get(kind)
        if found is None:
            rules = self.setup.rules
            raising = tuple(rule for rule in rules if matches(rule.when, kind))
            clearing = tuple((rule, one) for rule in rules for one in rule.clears if matches(one.type, kind))
            found = self._reacting[kind] = _Reacting(raising, clearing)
        return found

    def _pass_to(self, at: float) -> float:
        """The engine's time, which never goes back: what is earlier happens now."""
        meta = self.memory.meta
        meta.now = max(meta.now, at)
        return meta.now

    def _raise(self, rule: Rule, event: Event, at: float) -> None:
        memory, data = self.memory, event.data
        ours = is_ours(data)
        key = _key(rule, event, ours=ours)
        wrong = memory.wrongs.get(key)
        if rule.condition is not None and not (holds := rule.condition(data)):
            if holds is None and (missing := rule.condition.missing(data)):
                self.untold.setdefault(rule.name, missing)
            if holds is False and rule.ends_when_false and wrong is not None:
                self.end(wrong, event.time, at)
            return
        if wrong is None:
            place = home(rule, event.type, event.subject, data, self.setup.declared)
            told = (event.type, event.subject, place.group, event.seq, event.time, event.time, at, at, place.dataset)
            wrong = Wrong(key, rule.name, *told)
            memory.add(wrong)
        else:
            wrong.seq, wrong.last, wrong.last_at, wrong.type = event.seq, event.time, at, event.type
            wrong.count += 1
            wrong.row += 1
        wrong.data = _kept(data)
        memory.touch(wrong)
        if rule.is_moment:
            memory.timed.add(key)
            memory.at(at + MOMENT_S)
        self._again(wrong, rule, at)
        if (other := memory.wrongs.get(_key(rule, event, ours=not ours))) is not None:
            self.end(other, event.time, at)  # it is another's fault now

    def _again(self, wrong: Wrong, rule: Rule, at: float) -> None:
        """It was seen, for the first time or once more."""
        memory = self.memory
        if wrong.place == "firing":
            ongoing = memory.ongoing[wrong.incident]
            self.explaining.seen_again(ongoing, at)
            if wrong.over is not None and wrong.row >= rule.consecutive:
                wrong.over = None
                ongoing.flap_over_at = None
                memory.touch(ongoing)
                self.news.changed(ongoing, at)
        elif wrong.place != "waiting":
            if self._home(wrong) is not None:
                self.fire(wrong, rule, at)
        elif wrong.row >= rule.consecutive:
            if at - wrong.since_at >= rule.for_s:
                self.fire(wrong, rule, at)
            else:
                memory.timed.add(wrong.key)
                memory.at(wrong.since_at + rule.for_s)

    def _clear(self, rule: Rule, clear: Clear, event: Event, at: float) -> None:
        memory, data = self.memory, event.data
        if all(name in data for name in rule.by):
            keys: tuple[str, ...] = (_key(rule, event), _key(rule, event, ours=True))
        else:
            keys = tuple(memory.parts.get(f"{rule.name}|{event.subject}", ()))
        for key in keys:
            wrong = memory.wrongs.get(key)
            if wrong is None or wrong.seq == event.seq:
                continue
            if rule.later and (run := wrong.data.get("run_id")) is not None and run == data.get("run_id"):
                continue
            if clear.condition is None or clear.condition(data):
                self.end(wrong, event.time, at)

    def _home(self, wrong: Wrong) -> Ongoing | None:
        """The incident that it is a part of: its own, or that of what its dataset is made of."""
        memory = self.memory
        found = memory.by_group.get(wrong.group)
        if found is None and wrong.dataset and wrong.group.startswith("provider:"):
            declared = self.setup.declared
            for other in declared.upstream(wrong.dataset) if memory.ongoing else ():
                found = memory.by_group.get(f"provider:{declared.provider_of(other)}")
                if found is not None and any(memory.wrongs[key].dataset == other for key in memory.ongoing[found].keys):
                    break
                found = None
        return None if found is None else memory.ongoing[found]

    def _open(self, wrong: Wrong, rule: Rule, at: float) -> None:
        memory = self.memory
        kind, _, name = wrong.group.partition(":")
        identity = identity_of(wrong.group, wrong.seq, *((memory.meta.looks,) if wrong.key.endswith(PROBED) else ()))
        ongoing = Ongoing(identity, kind, name, wrong.group, rule.severity, stamp(at), at)  # type: ignore[arg-type]
        memory.begin(ongoing)
        openings = [*(one for one in memory.groups.get(wrong.group, ()) if one > at - WITHIN_S), at]
        memory.groups[wrong.group] = openings
        memory.changed.add(("group", wrong.group))
        ongoing.flapping = flaps(openings)
        self._put(ongoing, wrong, rule)
        for key in list(memory.apart.get(wrong.group, ())):
            other = memory.wrongs[key]
            memory.part(other)
            self._put(ongoing, other, self.setup.by_name[other.rule])
        self.announce(ongoing, at)

    def _attach(self, ongoing: Ongoing, wrong: Wrong, rule: Rule, at: float) -> None:
        self.memory.part(wrong)
        self._put(ongoing, wrong, rule)
        self.explaining.seen_again(ongoing, at)
        self.explaining.attached(ongoing, wrong, at)
        self.news.changed(ongoing, at)

    def _put(self, ongoing: Ongoing, wrong: Wrong, rule: Rule) -> None:
        memory = self.memory
        wrong.place, wrong.incident = "firing", ongoing.id
        if not rule.is_moment:
            memory.timed.discard(wrong.key)
        ongoing.keys.append(wrong.key)
        ongoing.flap_over_at = None
        if rank(rule.severity) > rank(ongoing.severity):
            ongoing.severity = rule.severity
        memory.touch(wrong)
        memory.touch(ongoing)

    def _holds(self, ongoing: Ongoing) -> bool:
        """Whether anything in it is wrong still.

        That a circuit is open is not, once every dataset that suffered was collected again: it closes by itself.
        """
        memory = self.memory
        if ongoing.kind == "several":
            return ongoing.left > 0
        wrongs = [memory.wrongs[key] for key in ongoing.keys]
        rules = self.setup.by_name
        left = [one for one in wrongs if one.over is None and not ((rule := rules.get(one.rule)) and rule.digest)]
        suffered = any(one.dataset and one.over is not None for one in wrongs)
        return bool(left) and not (suffered and all(about(one.type) == "provider" for one in left))


def _key(rule: Rule, event: Event, *, ours: bool = False) -> str:
    """What is the same thing. That our own network was away (`ours`) is another thing than that a provider was."""
    apart = ",".join(str(event.data.get(name, "")) for name in rule.by) if rule.by else ""
    return f"{rule.name}|{event.subject}|{apart}{'|ours' if ours else ''}"


def _kept(data: Mapping[str, Any]) -> dict[str, Any]:
    """Of an event's data what messages need: figures, short texts, and small things of these."""
    found: dict[str, Any] = {}
    for name, value in data.items():
        if isinstance(value, str):
            found[name] = value if len(value) <= LONGEST_TEXT else value[: LONGEST_TEXT - 1] + "…"
        elif isinstance(value, int | float) or value is None:
            found[name] = value
        elif isinstance(value, Mapping) and len(value) <= KEPT_FIELDS:
            found[name] = {key: one for key, one in value.items() if isinstance(one, str | int | float)}
        elif isinstance(value, list):
            found[name] = [_short(one) for one in value[:5]]
        if len(found) >= KEPT_FIELDS:
            break
    return found


def _short(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: one for key, one in value.items() if isinstance(one, str | int | float)}
    return value if isinstance(value, str | int | float) else None
