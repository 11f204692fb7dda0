"""Which incident explains which: our own network, our clock, our disk, or several providers that went down together.

What is explained is listed, and nobody is told of it. Three providers within five minutes are a reason to look at
ourselves first (`probe`). When what explains is over, that which is not stays quiet until it is seen again, or for an
hour: a dataset is collected again when its time comes, not at once.
"""

from typing import TYPE_CHECKING, Literal, NamedTuple

from monitoring.alerting.freezing import frozen, rank, wrongs_in
from monitoring.alerting.grouping import is_storage, is_theirs
from monitoring.alerting.incident import Incident
from monitoring.alerting.memory import Ongoing, Wrong, identity_of
from monitoring.alerting.news import GATHER_S
from utils.events.event import stamp

if TYPE_CHECKING:
    from monitoring.alerting.core import Core

__all__ = ["PROBED", "PROVIDERS", "WITHIN_S", "Explaining", "Finding"]

PROVIDERS, WITHIN_S = 3, 300.0
"""So many providers within so many seconds are a reason to look at ourselves."""

PATIENCE_S = 10.0
"""Seconds for which they are not told while we look."""

LOOK_AGAIN_S = 30.0
"""Seconds until we look whether what we found is over."""

RELEASE_S = 3600.0

_BY_THE_CLOCK = frozenset({"promise.at_risk", "promise.broken", "dataset.overdue", "objective.burning"})
PROBED = "|probe"
"""How the keys end of what we found out ourselves: no event of the log tells of it."""

_SEVERAL = "several:providers"


class Finding(NamedTuple):
    """What a look at ourselves found: `network` (DNS, gateway, canaries) or `disk`, in words."""

    what: Literal["network", "disk"]
    words: str


class Explaining:
    """Sees to `inhibited_by` and `explains`."""

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._setup = core.setup
        self._memory = core.memory
        self._news = core.news

    def before(self, ongoing: Ongoing, at: float) -> None:
        """Look what explains an incident that is opened, and what keeps it quiet."""
        self.hush(ongoing, at)
        if ongoing.kind not in ("provider", "dataset"):
            return
        for parent in list(self._memory.parents.values()):
            if self._explains(parent, ongoing, at):
                self._put_under(parent, ongoing, at)
                self._news.changed(parent, at)
                return

    def after(self, ongoing: Ongoing, at: float) -> None:
        """Look what an incident that was opened explains, and whether it is one too many."""
        if ongoing.kind in ("network", "clock", "host"):
            for one in list(self._memory.ongoing.values()):
                if one is not ongoing and one.inhibited_by is None and self._explains(ongoing, one, at):
                    self._put_under(ongoing, one, at)
                    self._news.emit("inhibited", one)
        elif any(one.is_absence for one in wrongs_in(ongoing, self._memory)):
            self._went_down(ongoing, at)

    def attached(self, ongoing: Ongoing, wrong: Wrong, at: float) -> None:
        """One more thing is wrong in an incident that was opened before: maybe that its provider is away by now."""
        if ongoing.id in self._memory.down or ongoing.inhibited_by is not None or not wrong.is_absence:
            return
        for parent in list(self._memory.parents.values()):
            if parent.kind == "several" and self._explains(parent, ongoing, at):
                self._put_under(parent, ongoing, at)
                self._news.changed(parent, at)
                self._news.emit("inhibited", ongoing)
                return
        self._went_down(ongoing, at)

    def hush(self, ongoing: Ongoing, at: float) -> None:
        """Look whether a silence holds for it."""
        now = stamp(at)
        incident = frozen(ongoing, self._memory, self._setup)
        holding = (one for one in self._memory.silences.values() if one.since <= now < one.until)
        ongoing.silenced_by = next((one.id for one in holding if one.matcher.matches(incident)), None)

    def over_the_internet(self) -> list[str]:
        """Providers that are away and are asked over the internet; none, when they are too few to speak against us."""
        is_asked = self._setup.declared.needs_network
        away = [one.about for one in self._memory.ongoing.values() if one.kind == "provider" and is_asked(one.about)]
        return away if len(away) >= PROVIDERS or f"our_network|network{PROBED}" in self._memory.wrongs else []

    def probed(self, found: Finding | None, at: float) -> None:
        """We looked at ourselves: `found` explains what went down together, or None: it is not us."""
        memory, core = self._memory, self._core
        memory.meta.probe_at = None
        memory.meta.looks += 1
        rule = core.setup.by_name.get("our_network" if found is None or found.what == "network" else "disk_filling")
        if found is not None and rule is not None:
            subject = "network" if found.what == "network" else "disk"
            key = f"{rule.name}|{subject}{PROBED}"
            if key not in memory.wrongs:
                began = min([one.opened for one in self._suspects(at)] or [at])
                group = "network:our network" if found.what == "network" else "host:host"
                seq, data = memory.meta.seq, {"reason": found.words}
                times = (stamp(began), stamp(at), began, at)
                wrong = Wrong(key, rule.name, rule.when, subject, group, seq, *times, data=data)
                memory.add(wrong)
                core.fire(wrong, rule, at)
            memory.meta.probe_at = at + LOOK_AGAIN_S
            memory.at(memory.meta.probe_at)
            return
        for key in (f"our_network|network{PROBED}", f"disk_filling|disk{PROBED}"):
            if (known := memory.wrongs.get(key)) is not None and known.over is None:
                core.end(known, stamp(at), at)
        away = [one for one in self._suspects(at) if self._is_away(one)]
        if found is None and len(away) >= PROVIDERS:
            self._together(away, at)

    def seen_again(self, ongoing: Ongoing, at: float) -> None:
        """Something in it was seen once more: what explained it, and is over, explains it no longer."""
        if ongoing.inhibited_by is not None and ongoing.inhibited_by not in self._memory.ongoing:
            self.release(ongoing, at)

    def release(self, ongoing: Ongoing, at: float) -> None:
        """It counts for itself from now on."""
        ongoing.inhibited_by = ongoing.release_at = None
        ongoing.notice = "begun" if ongoing.told_at is None else "again"
        self._news.tell_at(ongoing, at + GATHER_S)
        self._news.emit("changed", ongoing, reason="what explained it is over, and this is not")

    def over(self, ongoing: Ongoing, was: Incident, at: float) -> Ongoing | None:
        """It is over: what it explained is left to itself after a while. Gives what explained it and may be over."""
        memory = self._memory
        for name in ongoing.explains:
            if (child := memory.ongoing.get(name)) is not None:
                child.release_at = at + RELEASE_S
                memory.touch(child)
                memory.at(child.release_at)
        parent = memory.ongoing.get(ongoing.inhibited_by or "")
        if parent is None or parent.kind != "several":
            return None
        parent.left -= 1
        for name, some in (("rules", was.rules), ("datasets", was.datasets)):
            parent.were.setdefault(name, {}).update(dict.fromkeys(some))
        return parent

    # --- details ----------------------------------------------------------------------------------

    def _explains(self, parent: Ongoing, child: Ongoing, at: float) -> bool:
        """Whether one incident, which is not over, is the reason of another."""
        if child.kind not in ("provider", "dataset") or child.opened < parent.opened - WITHIN_S:
            return False
        if parent.kind == "network":
            return child.kind == "provider" and self._setup.declared.needs_network(child.about)
        if parent.kind == "clock":
            wrongs = wrongs_in(child, self._memory)
            return child.opened <= parent.opened + WITHIN_S and all(one.type in _BY_THE_CLOCK for one in wrongs)
        if parent.kind == "host":
            disk = any(one.subject == "disk" and one.over is None for one in wrongs_in(parent, self._memory))
            return disk and self._is_storage(child)
        if parent.kind == "several":
            return child.kind == "provider" and at - parent.joined_at <= WITHIN_S and self._is_away(child)
        return False

    def _is_away(self, ongoing: Ongoing) -> bool:
        """Whether its provider does not deliver. That rows are in quarantine, or a batch is held, says that it does."""
        wrongs = wrongs_in(ongoing, self._memory)
        return any(one.over is None and is_theirs(one.type, one.data) for one in wrongs)

    def _went_down(self, ongoing: Ongoing, at: float) -> None:
        """Its provider is away, or nothing of it could be written: maybe one too many."""
        if ongoing.kind != "provider":
            return
        self._memory.down[ongoing.id] = at
        if len(suspects := self._suspects(at)) >= PROVIDERS:
            self._memory.meta.probe_at = at
            self._memory.at(at)
            for one in suspects:
                if one.notice_at is not None:
                    self._news.tell_at(one, max(one.notice_at, at + PATIENCE_S))

    def _is_storage(self, child: Ongoing) -> bool:
        """Whether all that is wrong in it is that something could not be written."""
        wrongs = wrongs_in(child, self._memory)
        return bool(wrongs) and all(is_storage(one.data) for one in wrongs)

    def _put_under(self, parent: Ongoing, child: Ongoing, at: float) -> None:
        child.inhibited_by, child.notice_at, child.release_at = parent.id, None, None
        parent.left, parent.joined_at = parent.left + 1, at
        parent.explains.append(child.id)
        if rank(child.severity) > rank(parent.severity):
            parent.severity = child.severity
        if parent.kind == "several":
            parent.about = f"{len(parent.explains)} providers"
        self._memory.touch(parent)
        self._memory.touch(child)

    def _suspects(self, at: float) -> list[Ongoing]:
        """The providers that went down within the last minutes, and that nothing explains."""
        down, ongoing = self._memory.down, self._memory.ongoing
        old = at - WITHIN_S
        for name in [one for one, when in down.items() if when < old or ongoing[one].inhibited_by is not None]:
            del down[name]
        return [ongoing[name] for name in down]

    def _together(self, suspects: list[Ongoing], at: float) -> None:
        """It is not us: one incident of them all."""
        memory = self._memory
        first = min(suspects, key=lambda one: one.opened)
        several = Ongoing(
            identity_of(_SEVERAL, first.id, memory.meta.looks),
            "several",
            f"{len(suspects)} providers",
            _SEVERAL,
            first.severity,
            first.opened_at,
            first.opened,
        )
        memory.begin(several)
        for one in suspects:
            self._put_under(several, one, at)
        self.hush(several, at)
        self._news.opened(several, at)
        for one in suspects:
            self._news.emit("inhibited", one)
