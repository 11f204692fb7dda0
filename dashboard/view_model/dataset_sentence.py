"""Why a dataset is as it is, in one sentence: composed of facts, so that it can be said in every language."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dashboard.language import Words, moment
from dashboard.view_model.sentence import when
from dashboard.words import plain, prose

__all__ = ["sentence", "whole_age"]

LONGEST = 900


def sentence(one: Mapping[str, Any], why: Mapping[str, Any], words: Words, now: datetime) -> str:
    """The sentence; ages in it stay the same for a minute at least. What a provider or an error said stays as it came.

    Args:
        one: What `status` says of the dataset.
        why: What `why` says; empty: of the past, where nobody looks why.
    """
    name = plain(one["dataset"], limit=64)
    if why.get("blocked"):
        told = _blocked(name, why, words, now)
    elif one["status"] == "never ran":
        told = words("{name} never ran: nothing is known of it yet.", name=name)
    elif one["status"] == "succeeded":
        told = " ".join(part for part in (_well(name, one, words), _risk(one, words, now)) if part)
    else:
        told = _unwell(name, one, why, words, now)
    return prose(told, limit=LONGEST)


def whole_age(seconds: float, words: Words) -> str:
    """An age that stays the same for a minute at least.

    >>> whole_age(3.0, Words()), whole_age(130.0, Words())
    ('under 2 min', '2 min')
    """
    return words("under 2 min") if seconds < 120 else words.span(seconds)


def _blocked(name: str, why: Mapping[str, Any], words: Words, now: datetime) -> str:
    reasons = "; ".join(plain(part["reason"], limit=300) for part in why["blocked"])
    if why["last_good"] is None:
        text = "{name} is blocked: {reasons}; nothing was delivered of it yet."
        return words(text, name=name, reasons=reasons)
    time = when(why["last_good"]["accepted_at"], words, now)
    return words("{name} is blocked: {reasons}; readers keep what came {time}.", name=name, reasons=reasons, time=time)


def _well(name: str, one: Mapping[str, Any], words: Words) -> str:
    told = [words.number(one["rows"], "{name} is well: 1 row", "{name} is well: {n} rows", name=name)]
    if one["origin"] == "cache":
        told.append(words("from our copy, within its time to live"))
    if one["age_s"] is not None:
        told.append(words("collected {age} ago", age=whole_age(one["age_s"], words)))
    if one["data_age_s"] is not None:
        told.append(words("its data {age} old", age=whole_age(one["data_age_s"], words)))
    if one["score"] is not None:
        told.append(words("score {score}", score=words.figure(one["score"])))
    return f"{', '.join(told)}."


def _risk(one: Mapping[str, Any], words: Words, now: datetime) -> str:
    """What its promise is about to do; "" while that is kept."""
    promise = one["promise"]
    if promise is None or promise["state"] == "kept" or not promise.get("until"):
        return ""
    time = when(promise["until"], words, now)
    if moment(promise["until"]) < now:
        return words("Its promise is broken since {time}.", time=time)
    return words("Its promise breaks at {time}.", time=time)


def _unwell(name: str, one: Mapping[str, Any], why: Mapping[str, Any], words: Words, now: datetime) -> str:
    reason = (one["reason"] or words("nobody knows why")).removeprefix(f"{one['dataset']}: ").rstrip(".")
    promise = one["promise"]
    if reason.startswith("promise broken") and promise is not None and promise.get("until"):
        # Its own words tell an age, which moves on.
        reason = words("its promise is broken since {time}", time=when(promise["until"], words, now))
    failed = one["status"] == "failed"
    if why.get("since") is None:
        text = "{name} has failed: {reason}." if failed else "{name} is degraded: {reason}."
        return words(text, name=name, reason=reason)
    time = when(why["since"]["time"], words, now)
    text = "{name} has failed since {time}: {reason}." if failed else "{name} is degraded since {time}: {reason}."
    return words(text, name=name, reason=reason, time=time)
