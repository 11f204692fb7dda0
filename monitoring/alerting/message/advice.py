"""What somebody is to do, and by when: the part of a message that says whether to get up."""

from collections.abc import Callable, Mapping
from shlex import quote
from typing import NamedTuple

from monitoring.alerting.message.headline import About, Headline, listed
from monitoring.alerting.message.host_heads import full_at
from monitoring.alerting.message.impact import first_break, pending
from monitoring.alerting.message.seen import Seen

__all__ = ["Advice", "advised"]


class Advice(NamedTuple):
    """What to do.

    Attributes:
        words: A sentence or two.
        brief: The same behind a colon, for the title.
        command: What to paste; "": nothing. As of `why fx_daily`.
        urgent: Somebody has to act now.
    """

    words: str
    brief: str
    command: str = ""
    urgent: bool = False


def advised(seen: Seen, head: Headline) -> Advice:
    """What to do about what the head tells."""
    return _BY_ABOUT[head.about](seen)


def _waiting(seen: Seen) -> Advice:
    """Of what mends itself once somebody else is back: there is time until a promise breaks."""
    who = "our network" if seen.provider is None else seen.words(seen.provider.provider, 60)
    hurt = [one.dataset for one in seen.standings if one.broken or (one.origin == "none" and one.status == "failed")]
    if hurt:
        again = seen.next_try
        asked = "" if again is None else f"; it is tried again {seen.moments.at(again)} by itself"
        needs = "needs" if len(hurt) == 1 else "need"
        only = "" if seen.provider is None else f" Only {who} can mend it{asked}."
        words = f"{listed(hurt)} {needs} somebody now: tell the readers.{only}"
        return Advice(words, f"{listed(hurt)} {needs} somebody now", f"why {seen.incident.id}", urgent=True)
    if seen.provider is not None and seen.provider.held:
        return Advice(
            "It stays so until somebody closes it.",
            "somebody opened it",
            f"breakers close {quote(seen.provider.provider)}",
        )
    return _in_time(seen) or Advice("Nothing breaks by it: it can wait.", "it can wait")


def _in_time(seen: Seen) -> Advice | None:
    deadline = first_break(seen)
    if deadline is None:
        return None
    by = seen.moments.said(deadline)
    # Behind the one time that was just told; of several it is said which.
    words = "Nothing to do before." if len(pending(seen)) == 1 else f"Nothing to do before {by}."
    return Advice(words, f"nothing to do before {by}")


def _network(seen: Seen) -> Advice:
    found = _waiting(seen)
    if not found.urgent:
        return found
    words = "Look after the network of this host; all goes on by itself when it is back."
    return Advice(words, "look after it now", "health", urgent=True)


def _mending(what: str, command: str) -> Callable[[Seen], Advice]:
    """Of what no waiting mends: somebody has to act before a promise breaks."""

    def advise(seen: Seen) -> Advice:
        hints = [seen.provider.hint] if seen.provider is not None else []
        hint = next((hint for hint in [*hints, *(one.hint for one in seen.standings)] if hint), "")
        how = f"{what}: {seen.words(hint).rstrip('.')}" if hint else what
        name = seen.standings[0].dataset if seen.standings else quote(seen.incident.about)
        deadline, hurt = first_break(seen), any(one.broken or one.origin == "none" for one in seen.standings)
        if hurt:
            return Advice(f"Somebody has to act now: {how}.", f"{what} now", command.format(name), urgent=True)
        if deadline is not None:
            by = seen.moments.said(deadline)
            return Advice(f"Waiting mends nothing. Before {by}: {how}.", f"{what} before {by}", command.format(name))
        return Advice(f"Waiting mends nothing, but nothing breaks by it: {how}.", "it can wait", command.format(name))

    return advise


def _held(seen: Seen) -> Advice:
    waits = [one.dataset for one in seen.standings if one.held]
    name = waits[0] if waits else quote(seen.incident.about)
    verdict = f"look at it, then `accept {name}` or `reject {name}`"
    command, deadline = f"show {name} --batch", first_break(seen)
    if any(one.broken or one.origin == "none" for one in seen.standings):
        return Advice(f"Decide now: {verdict}.", "decide now", command, urgent=True)
    if deadline is not None:
        by = seen.moments.said(deadline)
        return Advice(f"Decide before {by}: {verdict}.", f"decide before {by}", command)
    words = f"It can wait: readers keep what they have. Then {verdict}."
    return Advice(words, "it can wait", command)


def _late(seen: Seen) -> Advice:
    late = [one for one in seen.standings if one.broken] or list(seen.standings)
    names = [one.dataset for one in late]
    if not names:
        return Advice("Look at what is late.", "look at it", f"why {seen.incident.id}")
    providers = sorted({seen.words(one.provider, 60) for one in late})
    whom, name = listed(providers, noun="provider"), names[0]
    command = f"run {' '.join(names[:3])} --fresh"
    deadline = first_break(seen)
    by = (
        f" before {seen.moments.said(deadline)}" if deadline is not None and not any(one.broken for one in late) else ""
    )
    urgent = any(one.broken for one in late)
    if any(one.same > 1 for one in late):
        words = f"{whom} answers, but with old data: ask for the new one{by}, then collect it."
        return Advice(words, f"ask {whom} for new data{by}", command, urgent)
    return Advice(f"Collect it{by or ' at once'}, and see why with `why {name}`.", f"collect it{by}", command, urgent)


def _disk(seen: Seen) -> Advice:
    words = "This drops what may go, never last good, held batches, the log or the outbox."
    ends = [
        at for one in seen.of("host.disk_filling", "disk.shed") if (at := full_at(one)) is not None and at > seen.now
    ]
    if not ends:
        return Advice(f"Make room now. {words}", "make room now", "maintain", urgent=True)
    by = seen.moments.said(min(ends))
    return Advice(f"Make room before {by}. {words}", "make room by then", "maintain")


def _fixed(words: str, brief: str, command: str = "", *, urgent: bool = False) -> Callable[[Seen], Advice]:
    def advise(seen: Seen) -> Advice:
        about = quote(seen.incident.about)
        first = seen.incident.datasets[0] if seen.incident.datasets else about
        return Advice(words, brief, command.format(id=seen.incident.id, about=about, first=first), urgent)

    return advise


_BY_ABOUT: Mapping[About, Callable[[Seen], Advice]] = {
    "network": _network,
    "clock": _fixed("Ages and promises were judged by another clock: see that it is right now.", "see that it is right",
                    "health"),
    "disk": _disk,
    "host": _fixed("Look what weighs on this host.", "look what weighs on it", "monitor --once"),
    "providers": _waiting,
    "provider": _waiting,
    "refused": _mending("mend the access", "why {}"),
    "unreadable": _mending("see what is sent", "try {}"),
    "held": _held,
    "same": _late,
    "overdue": _late,
    "promise": _late,
    "quarantine": _fixed("Look at the rows by day.", "it can wait", "quarantine show {first}"),
    "dataset": _mending("see why", "why {}"),
    "objective": _fixed("Nothing is broken yet: look at it by day.", "it can wait", "why {first}"),
    "service": _fixed("See what does not answer.", "see what does not answer", "health"),
    "channel": _fixed("Somebody may not hear of trouble: mend the channel, then try it.", "mend it",
                      "alerts test {about}"),
    "anomaly": _fixed("Nothing breaks by it: look at it by day.", "it can wait", "detect"),
    "other": _fixed("See what it is about.", "see what it is", "why {id}"),
}  # fmt: skip
