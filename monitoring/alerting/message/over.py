"""The message about the end: that it is over, how long it took, what was missed, and what is left to do."""

from datetime import datetime

from monitoring.alerting.incident import Cause
from monitoring.alerting.message.advice import Advice
from monitoring.alerting.message.headline import OF_PROVIDERS, About, Headline, listed
from monitoring.alerting.message.impact import standing
from monitoring.alerting.message.moments import utc
from monitoring.alerting.message.seen import Seen
from utils.ages import duration

__all__ = ["ended", "left", "missed"]

_WELL: dict[About, str] = {
    "network": "our own network is back since {end}",
    "clock": "the clock of this host goes on evenly since {end}",
    "disk": "the disk has room again since {end}",
    "host": "this host is at ease again since {end}",
    "provider": "{about} answers again since {end}",
    "refused": "{about} lets us in again since {end}",
    "unreadable": "{about} sends what can be read again since {end}",
    "providers": "the providers answer again since {end}",
    "held": "nothing of {datasets} is held any more since {end}",
    "same": "{datasets}: new data came at {end}",
    "overdue": "{datasets}: the data came at {end}",
    "promise": "{datasets}: the data came at {end}",
    "dataset": "{datasets}: all is well again since {end}",
    "quarantine": "{datasets}: the rows are well again since {end}",
    "objective": "{datasets}: the error budget holds again since {end}",
    "service": "{about} is well again since {end}",
    "channel": "channel {about} takes messages again since {end}",
}


def ended(seen: Seen, head: Headline) -> str:
    """`ECB answers again since 08:14`."""
    incident = seen.incident
    datasets = listed(incident.datasets or (incident.about,))
    words = _WELL.get(head.about, "{about} is well again since {end}")
    # Who was called to a single dataset knows it by name.
    about = seen.words(incident.about, 60) if incident.kind != "dataset" else datasets
    return words.format(about=about, datasets=datasets, end=seen.moments.said(_end(seen)))


def missed(seen: Seen, head: Headline) -> list[str]:
    """How long it was, and what readers had to do without."""
    began, end = seen.began, _end(seen)
    if end < began:  # the clock was set back meanwhile
        told = [f"It began at {seen.moments.said(began)}, by the clock as it was then."]
    else:
        lasted = duration((end - began).total_seconds(), decimals=1)
        told = [f"It lasted {lasted}, from {seen.moments.said(began)}."]
    if seen.incident.explains:
        told.append(f"{_explained(seen)} explained by it.")
    broken = _of_each(seen.of("promise.broken"))
    if broken:
        spans = [_span(seen, one) for one in broken[:3]]
        more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
        told.append(f"Promises that broke: {', '.join(spans)}{more}.")
    elif any(one.promised for one in seen.standings):
        told.append("No promise broke.")
    copies = sorted({one.subject for one in seen.of("dataset.degraded")})
    if copies and head.about in OF_PROVIDERS:
        told.append(f"Meanwhile {listed(copies)} {'was' if len(copies) == 1 else 'were'} served from a copy.")
    if seen.provider is not None and seen.provider.tries and head.about in OF_PROVIDERS:
        told.append(f"It was tried {seen.provider.tries:,} times.")
    return told


def left(seen: Seen) -> Advice:
    """What is left to do: what is held, or not well for another reason."""
    waits = [one for one in seen.standings if one.held]
    if waits:
        name = waits[0].dataset
        words = f"Left to decide: {listed([one.dataset for one in waits])}, a batch of which is held."
        return Advice(words, f"decide about {name}", f"show {name} --batch")
    bad = [one for one in seen.standings if one.broken or one.status == "failed"]
    if bad:
        words = f"Not well yet: {', '.join(standing(seen, one) for one in bad[:3])}."
        return Advice(words, f"{bad[0].dataset} is not well yet", f"why {bad[0].dataset}")
    return Advice("Nothing is left to do.", "nothing is left to do")


def _explained(seen: Seen) -> str:
    count = len(seen.incident.explains)
    return "One other incident was" if count == 1 else f"{count} other incidents were"


def _end(seen: Seen) -> datetime:
    return utc(seen.incident.resolved_at) if seen.incident.resolved_at else seen.now


def _of_each(causes: list[Cause]) -> list[Cause]:
    """One of each dataset, the first."""
    first: dict[str, Cause] = {}
    for one in causes:
        first.setdefault(one.subject, one)
    return list(first.values())


def _span(seen: Seen, cause: Cause) -> str:
    until = cause.data.get("until")  # the last moment at which it was kept
    since = seen.moments.said(until if isinstance(until, str) else cause.since)
    return f"{cause.subject} {since}" + ("" if cause.over is None else f" to {seen.moments.said(cause.over)}")
