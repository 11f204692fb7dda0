"""The first sentence: can the data be trusted today? Composed of facts, so that it can be said in every language."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dashboard.language import Words
from dashboard.words import Tone, plain, prose

__all__ = ["Headline", "headline", "keeps", "when"]

GROUPS, NAMES = 2, 3
"""What is told by name; the tiles have the rest."""

Dataset = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Headline:
    """The five seconds: a verdict in a few words, then the sentence."""

    tone: Tone
    verdict: str
    sentence: str


@dataclass(frozen=True, slots=True)
class _Group:
    """Datasets that have one trouble in common, as a rule that of their provider."""

    provider: str
    down_since: str | None
    members: tuple[Dataset, ...]

    @property
    def weight(self) -> tuple[bool, str, str]:
        """The heaviest first: those that fail, then those whose promise breaks first."""
        failed = any(one["status"] == "failed" for one in self.members)
        return not failed, self.until or "9", self.provider

    @property
    def until(self) -> str | None:
        """When the first promise breaks, or broke."""
        return min((one["promise"]["until"] for one in self.members if _until(one)), default=None)


def headline(status: dict[str, Any], words: Words, now: datetime) -> Headline:
    """The verdict and the sentence for what `status` answered."""
    datasets: list[Dataset] = status["datasets"]
    if not datasets:
        return Headline(
            "neutral",
            words("Nothing to tell yet"),
            prose(words("No dataset is declared yet: `config init` writes a first configuration.")),
        )
    never = [one for one in datasets if one["status"] == "never ran"]
    if len(never) == len(datasets):
        text = "Nothing has run yet: {count} datasets wait for the first run."
        return Headline("neutral", words("Nothing to tell yet"), words(text, count=len(never)))
    troubled = [one for one in datasets if one["status"] in {"failed", "degraded"}]
    at_risk = [one for one in datasets if one not in troubled and _promise(one) == "at_risk"]
    failed = any(one["status"] == "failed" for one in datasets)
    parts = [_network(status, words, now), *_told(status, troubled, words, now)]
    if at_risk:
        parts.append(_risk(at_risk, words, now))
    if never:
        parts.append(words("{names} never ran", names=_names(never, words)))
    if troubled and not failed and not any(_promise(one) == "at_risk" for one in datasets):
        parts.append(words("nothing failed, it can wait"))
    told = "; ".join(part for part in parts if part)
    first = _counted(datasets, words)
    sentence = f"{first}; {told}." if told else f"{first}."
    if failed:
        return Headline("bad", words("Somebody should look"), sentence)
    if troubled or at_risk or told:
        return Headline("attention", words("It can be used, with care"), sentence)
    return Headline("good", words("All is well"), sentence)


def keeps(dataset: Dataset) -> bool:
    """Whether readers get what they were promised; without a promise: whether its last delivery is whole and new."""
    if dataset["status"] in {"failed", "never ran"}:
        return False
    promise = _promise(dataset)
    return promise == "kept" if promise is not None else dataset["status"] != "degraded"


def when(text: str, words: Words, now: datetime) -> str:
    """A moment as people say it: the time alone for today.

    >>> now = datetime.fromisoformat("2026-11-20T16:00:00Z")
    >>> [when(f"2026-11-{day}T08:12:30Z", Words(), now) for day in (20, 19, 10)]
    ['08:12', 'yesterday 08:12', '10 Nov 08:12']
    """
    moment = datetime.fromisoformat(text)
    if moment.date() == (now - timedelta(days=1)).date():
        return words("yesterday {time}", time=words.clock(moment))
    return words.clock(moment, now)


def _counted(datasets: Sequence[Dataset], words: Words) -> str:
    kept, total = sum(map(keeps, datasets)), len(datasets)
    promised = any(one["promise"] for one in datasets)
    if total == 1 and kept == 1:
        return words("The one dataset keeps its promise") if promised else words("The one dataset is as it should be")
    if kept == total:
        text = "All {total} datasets keep their promise" if promised else "All {total} datasets are as they should be"
        return words(text, total=total)
    text = (
        "{kept} of {total} datasets keep their promise"
        if promised
        else ("{kept} of {total} datasets are as they should be")
    )
    return words(text, kept=kept, total=total)


def _network(status: dict[str, Any], words: Words, now: datetime) -> str:
    since = status["network_away_since"]
    return words("this machine has no network since {time}", time=when(since, words, now)) if since else ""


def _told(status: dict[str, Any], troubled: Sequence[Dataset], words: Words, now: datetime) -> list[str]:
    groups = sorted(_grouped(_down(status), troubled), key=lambda group: group.weight)
    parts = [_of_group(group, words, now) for group in groups[:GROUPS]]
    rest = sum(len(group.members) for group in groups[GROUPS:])
    if rest:
        parts.append(words("{count} more to look at", count=rest))
    return parts


def _down(status: dict[str, Any]) -> dict[str, str]:
    """Providers that are not asked now, and since when they fail: a circuit opens anew after each trial that failed."""
    breakers = status["breakers"].items()
    found = {provider: one["since"] for provider, one in breakers if one["state"] != "closed"}  # it may be held closed
    for one in status["incidents"]:
        if one["kind"] == "provider" and one["about"] in found:
            found[one["about"]] = min(found[one["about"]], one["opened_at"])
    return found


def _grouped(down: dict[str, str], troubled: Sequence[Dataset]) -> list[_Group]:
    """By provider where it is down; else each dataset by itself, those alike together."""
    found: dict[tuple[str, ...], list[Dataset]] = {}
    for one in troubled:
        failing = one["provider"] in down and one["origin"] != "provider"
        key = (one["provider"],) if failing else ("", one["status"], one["origin"], str(bool(one["held"])))
        found.setdefault(key, []).append(one)
    return [_Group(key[0], down.get(key[0]) if key[0] else None, tuple(members)) for key, members in found.items()]


def _of_group(group: _Group, words: Words, now: datetime) -> str:
    members = group.members
    if group.down_since is not None:
        time = when(group.down_since, words, now)
        told = [words("{provider} is down since {time}", provider=plain(group.provider, limit=60), time=time)]
    elif members[0]["held"]:
        told = [words("of {names} a new version is held until somebody decides", names=_names(members, words))]
    elif members[0]["status"] == "failed":
        told = [words("{names} failed", names=_names(members, words))]
    elif members[0]["origin"] == "provider":
        told = [words("{names} came with doubts", names=_names(members, words))]
    else:
        told = [words("{names} could not be collected", names=_names(members, words))]
    return ", ".join([*told, *_served(members, words, now), *_breaks(group, words, now)])


def _served(members: Sequence[Dataset], words: Words, now: datetime) -> list[str]:
    """What readers get meanwhile."""
    origins = {one["origin"] for one in members}
    times = [
        time for one in members if one["origin"] == "last_good" and (time := one["data_time"] or one["collected_at"])
    ]
    if times:
        return [words("serving data of {time}", time=when(min(times), words, now))]
    if origins == {"snapshot"}:
        return [words("serving the shipped snapshot")]
    return [words("serving nothing")] if origins == {"none"} else []


def _breaks(group: _Group, words: Words, now: datetime) -> list[str]:
    if group.until is None:
        return []
    time = when(group.until, words, now)
    past = datetime.fromisoformat(group.until) < now
    return [words("promise broken since {time}", time=time) if past else words("promise breaks at {time}", time=time)]


def _risk(at_risk: Sequence[Dataset], words: Words, now: datetime) -> str:
    until = min((one["promise"]["until"] for one in at_risk if _until(one)), default=None)
    if until is None:
        return words("the promise of {names} is at risk", names=_names(at_risk, words))
    text = "the promise of {names} breaks at {time}"
    return words(text, names=_names(at_risk, words), time=when(until, words, now))


def _promise(dataset: Dataset) -> str | None:
    promise = dataset["promise"]
    return None if promise is None else promise["state"]


def _until(dataset: Dataset) -> str | None:
    promise = dataset["promise"]
    return None if promise is None else promise["until"]


def _names(datasets: Sequence[Dataset], words: Words) -> str:
    names = [plain(one["dataset"], limit=64) for one in datasets]
    if len(names) <= NAMES:
        return ", ".join(names)
    return words("{names} and {count} more", names=", ".join(names[: NAMES - 1]), count=len(names) - NAMES + 1)
