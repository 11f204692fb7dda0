"""Write the message about an incident: what is wrong since when, what it means, what was done, what to do."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from monitoring.alerting.incident import Incident, NoticeKind, Severity
from monitoring.alerting.message.advice import Advice, advised
from monitoring.alerting.message.headline import OF_PROVIDERS, Headline
from monitoring.alerting.message.impact import impact, standing
from monitoring.alerting.message.message import LONGEST_TITLE, Kind, Message, Part, Style
from monitoring.alerting.message.over import ended, left, missed
from monitoring.alerting.message.seen import Seen, look
from monitoring.alerting.message.what import headline
from monitoring.alerting.situation import Situation
from utils.ages import duration
from utils.one_line import one_line

__all__ = ["KINDS", "compose"]

KINDS: Mapping[NoticeKind, Kind] = {
    "begun": "opened",
    "worse": "changed",
    "again": "reminded",
    "escalated": "escalated",
    "flapping": "flapping",
    "over": "resolved",
    "digest": "digest",
}
"""The message that a notice asks for."""

_BEFORE: Mapping[Kind, str] = {"changed": "Now: ", "reminded": "Still: ", "escalated": "Nobody took it: "}
_MOST_LISTED = 12
_OUR_WORDS = ("it ", "its ", "the ", "our ", "this ", "nothing ", "channel ", "a batch ")
"""How our own sentences begin. Names of datasets are never written otherwise than they are."""


def compose(incident: Incident, kind: Kind, situation: Situation, now: datetime) -> Message:
    """The message about one incident, as its kind asks for."""
    seen = look(incident, situation, now)
    head = headline(seen)
    if kind == "resolved" or incident.state == "resolved":
        return _over(seen, head) if kind != "digest" else _told(seen, head, kind)
    return _told(seen, head, kind)


def _told(seen: Seen, head: Headline, kind: Kind) -> Message:
    advice = advised(seen, head)
    said = [_sentence(head.sentence), _impact(seen, head), advice.words]
    title, brief = f"{_BEFORE.get(kind, '')}{head.words}", advice.brief
    if kind == "flapping":
        title, brief = head.words, "it comes and goes"
        said.append("It comes and goes; the next message comes when it stays as it is.")
    if kind == "escalated":
        said.insert(0, f"Nobody took it for {_open_for(seen)}.")
    parts = [
        Part("", " ".join(words for words in said if words)),
        *_datasets(seen),
        *_each(seen, head),
        *_done(seen, head),
        *_command(seen, advice),
        *_people(seen),
        *_acknowledge(seen, kind),
    ]
    return _message(seen, kind, title, brief, parts)


def _over(seen: Seen, head: Headline) -> Message:
    advice = left(seen)
    words = ended(seen, head)
    said = [f"{_begun(words)}.", *missed(seen, head), advice.words]
    parts = [Part("", " ".join(said)), *_datasets(seen), *_command(seen, advice), *_people(seen)]
    return _message(seen, "resolved", f"Over: {words}", advice.brief, parts)


def _message(seen: Seen, kind: Kind, title: str, brief: str, parts: Sequence[Part]) -> Message:
    incident = seen.incident
    severity: Severity = incident.severity
    urgent = "CRITICAL: " if severity == "critical" and kind != "resolved" else ""
    footer = f"{incident.id} · {severity} · {seen.words(seen.situation.app, 40)} · times in {seen.situation.zone}"
    # Whether to get up stands at the end, and is never what is cut off.
    brief = one_line(brief, LONGEST_TITLE // 2)
    told = f"{one_line(f'{urgent}{title}', LONGEST_TITLE - len(brief) - 2)}: {brief}"
    return Message(kind, severity, told, tuple(parts), footer, incident.id, incident.datasets)


def _sentence(words: str) -> str:
    return f"{words}."


def _begun(words: str) -> str:
    """As a sentence begins, unless it begins with the name of a dataset."""
    return f"{words[:1].upper()}{words[1:]}" if words.startswith(_OUR_WORDS) else words


def _impact(seen: Seen, head: Headline) -> str:
    told = impact(seen, head)
    words = "; ".join(told)
    return _sentence(_begun(words)) if told else ""


def _datasets(seen: Seen) -> Iterable[Part]:
    """All of them by name, where the sentence only counts them."""
    names = [standing(seen, one) for one in seen.standings] or list(seen.incident.datasets)
    if len(names) < 2:
        return
    more = [f"{len(names) - _MOST_LISTED} more"] if len(names) > _MOST_LISTED else []
    yield Part("Datasets", ", ".join([*names[:_MOST_LISTED], *more]))
    made = sorted({reader for one in seen.standings for reader in one.readers} - set(seen.incident.datasets))
    if made:
        yield Part("Made of them", ", ".join([*made[:_MOST_LISTED], *(["…"] if len(made) > _MOST_LISTED else [])]))


def _each(seen: Seen, head: Headline) -> Iterable[Part]:
    """Where many things are told in one message: each of them."""
    if head.about != "anomaly" or len(seen.causes) < 2:
        return
    for one in seen.causes[:_MOST_LISTED]:
        metric = one.data.get("metric")
        name = one.subject if metric is None else f"{one.subject}.{metric}"
        yield Part(seen.words(name, 80), seen.words(one.data.get("reason") or one.type))
    if (more := len(seen.causes) - _MOST_LISTED) > 0:
        yield Part("And", f"{more} more")


def _done(seen: Seen, head: Headline) -> Iterable[Part]:
    """What the system did by itself, and what it will do."""
    did = []
    if seen.provider is not None and head.about in OF_PROVIDERS and seen.provider.breaker != "closed":
        did.append(f"spares {seen.words(seen.provider.provider, 60)} (its circuit is {_plain(seen.provider.breaker)})")
    kept = [one for one in seen.standings if one.held]
    if kept:
        did.append(f"keeps the new batch{'es' if len(kept) > 1 else ''} apart")
    if any(one.origin == "last_good" for one in seen.standings) or kept:
        did.append("goes on serving the last good copy" if len(seen.standings) == 1 else "serves the last good copies")
    next_try = seen.next_try
    if next_try is not None:
        did.append(f"tries again {seen.moments.at(next_try)}")
    if did:
        yield Part("The system", ", ".join(did))


def _command(seen: Seen, advice: Advice) -> Iterable[Part]:
    if advice.command:
        yield Part("Paste", seen.situation.command(advice.command), "command")


def _people(seen: Seen) -> Iterable[Part]:
    concerned = [(one.owner, one.runbook) for one in seen.standings]
    if seen.provider is not None:
        concerned.insert(0, (seen.provider.owner, seen.provider.runbook))
    owners = dict.fromkeys(seen.words(owner) for owner, _ in concerned if owner)
    runbooks = dict.fromkeys(seen.words(runbook) for _, runbook in concerned if runbook)
    if owners:
        yield Part("Owner", ", ".join(list(owners)[:3]))
    for one in list(runbooks)[:2]:
        yield Part("Runbook", one, _linked(one))
    if link := seen.situation.link(seen.incident.id):
        yield Part("Link", link, _linked(link))


def _acknowledge(seen: Seen, kind: Kind) -> Iterable[Part]:
    """How to take it, where taking it stops anything."""
    if kind in {"escalated", "reminded"} and seen.incident.state != "acknowledged":
        yield Part("Take it", seen.situation.command(f"alerts ack {seen.incident.id}"), "command")


def _open_for(seen: Seen) -> str:
    return duration((seen.now - seen.began).total_seconds())


def _plain(state: str) -> str:
    return state.replace("_", " ")


def _linked(text: str) -> Style:
    return "link" if text.startswith(("http://", "https://")) else "text"
