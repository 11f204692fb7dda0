"""What it means for those who read the data: what they are served, how old that is, and which promise breaks when."""

from collections.abc import Sequence
from datetime import datetime

from monitoring.alerting.message.headline import Headline, listed
from monitoring.alerting.message.seen import Seen
from monitoring.alerting.situation import DatasetStanding

__all__ = ["first_break", "impact", "pending", "standing"]

_MOST_BREAKS = 3


def impact(seen: Seen, head: Headline) -> list[str]:
    """In parts of a sentence, those that weigh most last: the eye rests there."""
    told = _served(seen)
    if blocked := [one.dataset for one in seen.standings if one.blocked]:
        told.append(f"{listed(blocked)} cannot run")
    if waits := [one.dataset for one in seen.standings if one.held and head.about != "held"]:
        told.append(f"a batch of {listed(waits)} is held")
    broken = [one for one in seen.standings if one.broken and one.dataset not in head.promises]
    told += [_broke(seen, broken)] if broken else []
    if explained := len(seen.incident.explains):
        told.append(f"it explains {explained} other incident{'s' * (explained != 1)}, of which nobody is told")
    return told + _breaks(seen)


def first_break(seen: Seen) -> datetime | None:
    """When the first promise breaks that is not broken yet."""
    return next((at for at, _ in pending(seen)), None)


def standing(seen: Seen, one: DatasetStanding) -> str:
    """A dataset in a list: its name, and what is bad about it."""
    moments = seen.moments
    if one.broken:
        return f"{one.dataset} (promise broken{'' if one.breaks_at is None else f' {moments.at(one.breaks_at)}'})"
    if one.origin == "none" and one.status != "never ran":
        return f"{one.dataset} (no data)"
    if one.held:
        return f"{one.dataset} (a batch is held)"
    if one.breaks_at is not None and one.status != "succeeded":
        return f"{one.dataset} (breaks {moments.at(one.breaks_at)})"
    return one.dataset


def _served(seen: Seen) -> list[str]:
    """What readers get instead of new data."""
    told = []
    old = [one for one in seen.standings if one.origin == "last_good"]
    if old:
        told.append(f"{listed([one.dataset for one in old])} on last good{_dated(seen, old)}")
    if shipped := [one.dataset for one in seen.standings if one.origin == "snapshot"]:
        told.append(f"{listed(shipped)} on the shipped snapshot")
    without = [one.dataset for one in seen.standings if one.origin == "none" and one.status != "never ran"]
    if without:
        told.append(f"{listed(without)} {'has' if len(without) == 1 else 'have'} no data at all")
    return told


def _dated(seen: Seen, old: Sequence[DatasetStanding]) -> str:
    data = [one.data_time for one in old if one.data_time is not None]
    if len(data) == len(old):
        oldest, what = min(data), "data"
    else:
        copies = [one.collected_at for one in old if one.collected_at is not None]
        if not copies:
            return ""
        oldest, what = min(copies), "collected"
    several = len(old) > 1 and len({*data} or {one.collected_at for one in old}) > 1
    if what == "collected":
        return f", {'the oldest ' if several else ''}collected {seen.moments.said(oldest)}"
    return f", {'oldest ' if several else ''}data of {seen.moments.dated(oldest)}"


def _broke(seen: Seen, broken: Sequence[DatasetStanding]) -> str:
    names = listed([one.dataset for one in broken])
    since = min((one.breaks_at for one in broken if one.breaks_at is not None), default=None)
    when = "" if since is None else f" {seen.moments.at(since)}"
    if len(seen.standings) == 1:
        return f"its promise broke{when}"
    return f"{names} broke {'its promise' if len(broken) == 1 else 'their promises'}{when}"


def pending(seen: Seen) -> list[tuple[datetime, str]]:
    """Those whose promise is still kept and will not be, the next first; what goes on being delivered is not one."""
    found = [(one.breaks_at, one.dataset) for one in seen.standings if one.breaks_at is not None and _will_break(one)]
    return sorted(found)


def _will_break(one: DatasetStanding) -> bool:
    return not one.broken and (one.at_risk or one.status != "succeeded" or bool(one.held))


def _breaks(seen: Seen) -> list[str]:
    found = pending(seen)
    if not found:
        return []
    (first, name), *others = found
    if len(seen.standings) == 1:
        return [f"its promise breaks {seen.moments.at(first)}"]
    told = [f"{name} breaks its promise {seen.moments.at(first)}"]
    told += [f"{name} {seen.moments.at(at)}" for at, name in others[: _MOST_BREAKS - 1]]
    more = [f"{len(found) - _MOST_BREAKS} more later"] if len(found) > _MOST_BREAKS else []
    return [", ".join([*told, *more])]
