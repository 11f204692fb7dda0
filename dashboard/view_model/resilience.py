"""How do the providers hold? Every circuit with its rule and its time line, limits, retries, quotas, and the cache."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.base import Face, Panel, face_of
from dashboard.words import Tone, plain
from operations.words import size

__all__ = ["Cache", "Circuit", "Resilience", "Stretch", "cleared", "moved", "reset_of", "resilience"]

State = Literal["closed", "half_open", "open"]
MOST_EVENTS = 1_000


@dataclass(frozen=True, slots=True)
class Stretch:
    """How long a circuit was in a state: from and to in epoch milliseconds."""

    provider: str
    state: State
    begin: float
    end: float
    words: str


@dataclass(frozen=True, slots=True)
class Circuit:
    """One provider: how its circuit stands, by which rule, and what protects it."""

    provider: str
    tone: Tone
    state: str
    is_open: bool
    is_normal: bool
    why: str
    rule: str
    limits: str
    retries: str
    datasets: str
    runbook: str


@dataclass(frozen=True, slots=True)
class Cache:
    """The cache in figures, a name and a value each."""

    figures: tuple[tuple[str, str], ...]
    face: Face | None


@dataclass(frozen=True, slots=True)
class Resilience:
    """All that is drawn. Equal ones look the same."""

    sentence: str
    tone: Tone
    circuits: Panel[Circuit]
    stretches: tuple[Stretch, ...]
    cache: Cache


def resilience(
    providers: Answer, events: Answer, cache: Answer, period: tuple[datetime, datetime], words: Words
) -> Resilience:
    """The page for the answers of `providers`, `events` (type `breaker.*`, newest first) and `cache`."""
    found = providers.document or []
    circuits = sorted((_circuit(one, words, period[1]) for one in found), key=_worst_first)
    face = face_of(providers, empty=words("No provider is asked for anything."))
    sentence, tone = _sentence(found, words)
    return Resilience(
        sentence,
        tone,
        Panel(tuple(circuits), face=face),
        stretches(found, events.document or [], period, words),
        _cache(cache, words),
    )


def stretches(
    providers: Sequence[dict[str, Any]],
    events: Sequence[dict[str, Any]],
    period: tuple[datetime, datetime],
    words: Words,
) -> tuple[Stretch, ...]:
    """The states of every circuit over the period; before its first event a circuit is as that says it was."""
    begin, end = (moment.timestamp() * 1000 for moment in period)
    told: list[Stretch] = []
    for one in providers:
        name = one["provider"]
        own = [event for event in reversed(events) if event["subject"] == name]
        state: State = own[0]["data"].get("before", "closed") if own else one["breaker"]["state"]
        since, why = begin, ""
        for event in own:
            at = datetime.fromisoformat(event["time"]).timestamp() * 1000
            if at > end:
                break
            after = _state_of(event["type"])
            if after != state and at > since:
                told.append(_stretch(name, state, since, at, why, words))
                since = at
            state, why = after, str(event["data"].get("reason") or "")
        told.append(_stretch(name, state, since, end, why, words))
    return tuple(told)


def moved(document: Any, words: Words) -> str:
    """What became of one circuit."""
    name = plain(document["provider"], limit=80)
    return words("The circuit of {name} is {state} now.", name=name, state=words(document["state"].replace("_", " ")))


def reset_of(document: Any, words: Words) -> str:
    """What a reset did."""
    names = ", ".join(plain(name, limit=60) for name in document["reset"][:8])
    return words("Reset: {names}.", names=names) if names else words("Nothing had to be reset.")


def cleared(document: Any, words: Words) -> str:
    """What emptying the cache did."""
    one, many = "The cache is empty: 1 result went.", "The cache is empty: {n} results went."
    return words.number(document["cleared"], one, many)


def _sentence(found: Sequence[dict[str, Any]], words: Words) -> tuple[str, Tone]:
    if not found:
        return words("No provider is asked yet."), "neutral"
    opened = [one for one in found if one["breaker"]["state"] == "open"]
    trying = [one for one in found if one["breaker"]["state"] == "half_open"]
    if opened:
        names = ", ".join(plain(one["provider"], limit=60) for one in opened[:3]) + (", …" if len(opened) > 3 else "")
        one, many = "1 of {total} circuits is open: {names}.", "{n} of {total} circuits are open: {names}."
        return words.number(len(opened), one, many, total=len(found), names=names), "bad"
    if trying:
        one, many = "1 circuit is being tried again.", "{n} circuits are being tried again."
        return words.number(len(trying), one, many), "attention"
    if len(found) == 1:
        return words("The one circuit is closed: its provider is asked."), "good"
    return words("All {total} circuits are closed: every provider is asked.", total=len(found)), "good"


def _worst_first(circuit: Circuit) -> tuple[int, str]:
    return ({"bad": 0, "attention": 1, "neutral": 2}.get(circuit.tone, 3), circuit.provider)


def _circuit(one: dict[str, Any], words: Words, now: datetime) -> Circuit:
    breaker = one["breaker"]
    state = str(breaker["state"])
    tones: dict[str, Tone] = {"open": "bad", "half_open": "attention", "closed": "good"}
    held = breaker["held"]
    shown = words("held open") if held and state == "open" else words("held closed") if held else words(_named(state))
    return Circuit(
        provider=plain(one["provider"], limit=120),
        tone="attention" if held and state == "closed" else tones[state],
        state=shown,
        is_open=state == "open",
        is_normal=state == "closed" and not held,
        why=_why(breaker, words, now),
        rule=_rule(one["rule"], words),
        limits=_limits(one, words),
        retries=_retries(one, words),
        datasets=", ".join(plain(name, limit=60) for name in one["datasets"][:12]) or words("no dataset"),
        runbook=plain(one["runbook"], limit=200),
    )


def _named(state: str) -> str:
    return state.replace("_", " ")


def _why(breaker: dict[str, Any], words: Words, now: datetime) -> str:
    told = []
    if breaker["open_until"]:
        told.append(words("next try at {time}", time=words.clock(datetime.fromisoformat(breaker["open_until"]), now)))
    if breaker["permits_left"] is not None:
        told.append(words.number(breaker["permits_left"], "1 trial call left", "{n} trial calls left"))
    if breaker["times_opened"] > 1 and breaker["state"] != "closed":
        told.append(words("opened {count} times in a row", count=breaker["times_opened"]))
    if breaker["reason"]:
        told.append(plain(breaker["reason"], limit=300))
    return " · ".join(told)


def _rule(rule: dict[str, Any], words: Words) -> str:
    share = f"{rule['failure_rate']:.0%}"
    if rule["window_s"] is not None:
        text = "opens when {share} of the calls of {window} fail, {least} calls at least; tried again after {rest}"
        window = words.span(rule["window_s"])
    else:
        text = "opens when {share} of {window} calls fail, {least} calls at least; tried again after {rest}"
        window = words.count(rule["window"])
    return words(text, share=share, window=window, least=rule["minimum_calls"], rest=words.span(rule["open_for_s"]))


def _limits(one: dict[str, Any], words: Words) -> str:
    told = []
    if one["rate"] is not None:
        per = words.span(one["per_s"])
        told.append(words("{rate} requests in {span}", rate=words.figure(one["rate"]), span=per))
    if one["concurrency"] is not None:
        told.append(words("{count} at once", count=one["concurrency"]))
    if one["quota"] is not None:
        left = max(one["quota"] - one["quota_used"], 0)
        values = {"left": words.count(left), "quota": words.count(one["quota"]), "span": words.span(one["quota_per_s"])}
        told.append(words("{left} of {quota} left in {span}", **values))
    return " · ".join(told) or words("no limit")


def _retries(one: dict[str, Any], words: Words) -> str:
    if not one["asked"]:
        return words("not asked in the last run")
    if not one["retried"]:
        return words("no retry in the last run")
    return words(
        "{retried} of {asked} requests of the last run were retries", retried=one["retried"], asked=one["asked"]
    )


def _state_of(kind: str) -> State:
    last = kind.rpartition(".")[2]
    return "open" if last == "opened" else "half_open" if last.startswith("half") else "closed"


def _stretch(provider: str, state: State, begin: float, end: float, why: str, words: Words) -> Stretch:
    told = " · ".join(
        part for part in (words(_named(state)), words.span((end - begin) / 1000), plain(why, limit=120)) if part
    )
    return Stretch(plain(provider, limit=60), state, begin, end, told)


def _cache(answer: Answer, words: Words) -> Cache:
    found = answer.document
    if found is None:
        return Cache((), face_of(answer))
    asked = found["hits"] + found["misses"]
    figures = (
        (words("Hits"), f"{found['hit_rate']:.0%}" if asked else words("not asked yet")),
        (words("Asked"), words.count(asked)),
        (words("Results"), words.count(found["entries"])),
        (words("Size"), size(found["bytes"])),
        (words("Served stale"), words.count(found["stale_hits"])),
    )
    trouble = Face("broken", plain(found["trouble"], limit=300)) if found["trouble"] else None
    return Cache(figures, face_of(answer) or trouble)
