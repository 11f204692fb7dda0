"""Heads of trouble with ourselves: network, clock, disk, processor, services, channels."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from monitoring.alerting.incident import Cause
from monitoring.alerting.message.headline import (
    About,
    Headline,
    capital,
    figures_of,
    listed,
    plain_words,
    reason_of,
    since_words,
    whose_words,
)
from monitoring.alerting.message.moments import utc
from monitoring.alerting.message.seen import Seen
from utils.ages import duration
from utils.sizes import size

__all__ = ["clock", "full_at", "host", "network", "service"]


def network(seen: Seen) -> Headline | None:
    """Our own network is away."""
    causes = seen.of("network.away") or (list(seen.causes) if seen.incident.kind == "network" else [])
    if not causes:
        return None
    providers = sorted({one.provider for one in seen.standings})
    details = (f"{listed(providers, noun='provider')} cannot be reached",) if providers else ()
    return Headline("network", f"Our own network away {since_words(seen, causes)}", details)


def clock(seen: Seen) -> Headline | None:
    """Our clock was set."""
    if seen.incident.kind != "clock":
        return None
    newest = max(seen.causes, key=lambda one: one.seq)
    by = newest.data.get("by_s")
    way = f" {'forward' if by > 0 else 'back'} by {duration(abs(by))}" if isinstance(by, int | float) else ""
    return Headline("clock", f"The clock of this host was set{way} {seen.moments.at(newest.last)}")


def host(seen: Seen) -> Headline | None:
    """The disk fills, or a resource of this host is used up."""
    if causes := seen.of("host.disk_filling"):
        newest = max(causes, key=lambda one: one.seq)
        full = full_at(newest)
        words = "Disk fills up" if full is None else f"Disk full {seen.moments.at(full)}, filling"
        free, each = newest.data.get("free_bytes"), newest.data.get("bytes_per_hour")
        left = (f"{size(free)} free",) if isinstance(free, int | float) else ()
        speed = (f"{size(each)} more an hour",) if isinstance(each, int | float) else ()
        details = (*left, *speed, *_taken(seen)) or figures_of(seen, newest)
        return Headline("disk", f"{words} {since_words(seen, causes)}", details)
    if causes := seen.of("disk.shed"):
        return _shed(seen, causes)
    if not (causes := seen.of("host.", "healing.", "protector.")):
        return None
    newest = max(causes, key=lambda one: one.seq)
    percent, limit = newest.data.get("percent"), newest.data.get("limit")
    if not isinstance(percent, int | float):
        words = reason_of(seen, newest) or f"{newest.subject} {plain_words(newest.type)}"
        return Headline("host", f"{capital(words)} {since_words(seen, causes)}")
    name = {"cpu": "CPU"}.get(newest.subject, newest.subject.capitalize())
    above = (f"limit {limit:g} %",) if isinstance(limit, int | float) else ()
    top = newest.data.get("top")
    worst = (f"most by {seen.words(top[0].get('name', '?'), 40)}",) if isinstance(top, list) and top else ()
    about: About = "disk" if newest.subject == "disk" else "host"
    return Headline(about, f"{name} at {percent:.0f} % {since_words(seen, causes)}", (*above, *worst))


def _shed(seen: Seen, causes: Sequence[Cause]) -> Headline:
    """What could be had again was dropped, because the disk fills."""
    newest = max(causes, key=lambda one: one.seq)
    before, hours = newest.data.get("before"), newest.data.get("hours_left")
    percent = before.get("percent") if isinstance(before, dict) else None
    words = f"Disk {percent:.0f} % full" if isinstance(percent, int | float) else "Disk full"
    freed = newest.data.get("freed_bytes")
    room = (f"{size(freed)} made free",) if isinstance(freed, int | float) else ()
    left = (f"full in {duration(hours * 3600.0)} at this pace",) if isinstance(hours, int | float) else ()
    return Headline("disk", f"{words} {since_words(seen, causes)}", (*room, *left, *_taken(seen)))


def _taken(seen: Seen) -> tuple[str, ...]:
    """What takes most of the disk, as far as it was looked at."""
    told = [one.data.get("consumers") for one in seen.of("disk.shed")]
    consumers = next((one for one in reversed(told) if isinstance(one, list) and one), [])
    named = [
        f"{seen.words(one.get('name', '?'), 60)} {size(one['bytes'])}"
        for one in consumers[:3]
        if isinstance(one, dict) and isinstance(one.get("bytes"), int | float)
    ]
    return (f"most of it: {', '.join(named)}",) if named else ()


def full_at(cause: Cause) -> datetime | None:
    """When nothing is free any more, by the forecast that was told."""
    left = cause.data.get("hours_left")
    return utc(cause.last) + timedelta(hours=left) if isinstance(left, int | float) else None


def service(seen: Seen) -> Headline | None:
    """A service does not answer, or a channel takes nothing."""
    if causes := seen.of("service."):
        newest = max(causes, key=lambda one: one.seq)
        state = "answers slowly" if newest.type == "service.slow" else newest.type.removeprefix("service.")
        return Headline(
            "service", f"{whose_words(seen, causes)} {state} {since_words(seen, causes)}", figures_of(seen, newest)
        )
    if causes := seen.of("alert."):
        whose = listed(sorted({one.subject for one in causes}), noun="channel")
        words = f"Channel {whose} takes no messages {since_words(seen, causes)}"
        error = causes[-1].data.get("error")  # `message` of this event is the key of what was not taken
        return Headline("channel", words, (seen.words(error).rstrip("."),) if isinstance(error, str) and error else ())
    return None
