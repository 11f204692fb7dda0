"""Is everything all right? The five seconds of the first page, and what lies behind them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.base import Face, Panel, face_of
from dashboard.view_model.news import News, news_of
from dashboard.view_model.sentence import Headline, headline, when
from dashboard.words import Tone, plain, prose, tone_of

__all__ = ["Bar", "Behind", "Budget", "Overview", "Tile", "ToDo", "behind", "top"]

RUNS = 60
"""Bars that can be told apart."""

SEVERITIES: dict[str, Tone] = {"critical": "bad", "error": "bad", "warning": "attention", "info": "neutral"}
BUDGETS: dict[str, Tone] = {"spent": "bad", "burning": "attention", "kept": "good", "unmeasured": "neutral"}
_WORST = tuple(BUDGETS)


@dataclass(frozen=True, slots=True)
class Overview:
    """The top of the page: all of it comes from one answer, so that it is there first."""

    headline: Headline
    face: Face | None


@dataclass(frozen=True, slots=True)
class Tile:
    """One dataset. `points`: a figure over the last runs, `trend` says which and how it ranges."""

    dataset: str
    tone: Tone
    state: str
    source: str
    copy_age: str
    data_age: str
    score: str
    points: tuple[float, ...]
    trend: str
    reason: str


@dataclass(frozen=True, slots=True)
class ToDo:
    """Something that waits for somebody: an incident, or a held version. `page`, `query`: where it is dealt with."""

    tone: Tone
    state: str
    title: str
    words: str
    page: str
    query: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Budget:
    """One objective. `left`: the share of the error budget that is left, 0 to 1."""

    dataset: str
    tone: Tone
    state: str
    words: str
    left: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One finished run in the chart: how many datasets ended how."""

    when: str
    counts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Behind:
    """The rest of the page. `news`: None in the past, and at a first visit."""

    to_do: Panel[ToDo]
    news: News | None
    tiles: Panel[Tile]
    budgets: Panel[Budget]
    runs: Panel[Bar]


def top(status: Answer, words: Words, now: datetime) -> Overview:
    """The page's head for the answer of `status`."""
    face = face_of(status)
    if status.document is None:
        told = words("How the datasets stand is not known now.")
        return Overview(Headline("bad", words("The state cannot be read"), told), face)
    shown = headline(status.document, words, now)
    if face is not None and status.at is not None:
        sentence = words(
            "As of {time}: {sentence}", time=when(status.at.isoformat(), words, now), sentence=shown.sentence
        )
        shown = Headline("bad", words("This page shows an older state"), sentence)
    return Overview(shown, face)


def behind(
    status: Answer,
    trends: Answer,
    runs: Answer,
    news: Answer | None,
    words: Words,
    now: datetime,
    since: datetime | None,
) -> Behind:
    """What lies behind the sentence.

    Args:
        news: Of `news` since the last visit; None: there was none.
        since: Where the period of the page begins; runs before it are left out.
    """
    # Ages move on together, once a minute: a page that is open all day need not count seconds.
    minute = now.replace(second=0, microsecond=0)
    datasets = (status.document or {}).get("datasets", [])
    lines = {one["dataset"]: one for one in trends.document or []}
    same = _same(status, words)
    return Behind(
        to_do=Panel(tuple(_to_do(status.document or {}, words, now)), face=same),
        news=None if news is None else news_of(news, words, now),
        tiles=Panel(
            tuple(_tile(one, lines.get(one["dataset"]), words, minute) for one in datasets),
            note=_states(datasets, words),
            face=same
            or (None if datasets else Face("no data yet", words("No dataset is declared yet.")))
            or face_of(trends),
        ),
        budgets=_budgets(datasets, words, same),
        runs=_runs(runs, words, since),
    )


def _same(status: Answer, words: Words) -> Face | None:
    """The face of what comes from the same answer as the sentence, which has told the reason already."""
    face = face_of(status)
    return None if face is None else Face(face.kind, words("See the message at the top."))


def _states(datasets: Sequence[dict[str, Any]], words: Words) -> str:
    order = ("failed", "degraded", "never ran", "skipped", "succeeded")
    counts = {state: sum(one["status"] == state for one in datasets) for state in order}
    return ", ".join(f"{count} {words(state)}" for state, count in counts.items() if count)


def _to_do(status: dict[str, Any], words: Words, now: datetime) -> list[ToDo]:
    found = []
    for one in status.get("incidents", []):
        names = ", ".join(one["datasets"][:4]) + (" …" if len(one["datasets"]) > 4 else "")
        told = words("since {time}", time=when(one["opened_at"], words, now))
        found.append(
            ToDo(
                SEVERITIES.get(one["severity"], "neutral"),
                words(one["severity"]) if one["state"] == "open" else words(one["state"]),
                plain(one["about"], limit=80),
                f"{told} · {plain(names, limit=160)}" if names and names != one["about"] else told,
                "incidents",
                (("incident", one["id"]),),
            )
        )
    for one in status.get("datasets", []):
        if one["held"]:
            told = words("a new version is held: accept or reject it")
            found.append(
                ToDo("attention", words("held"), one["dataset"], told, "dataset", (("dataset", one["dataset"]),))
            )
    return found


def _tile(dataset: dict[str, Any], trend: dict[str, Any] | None, words: Words, now: datetime) -> Tile:
    state: str = dataset["status"]
    at_risk = dataset["promise"] is not None and dataset["promise"]["state"] == "at_risk"
    parts = [plain(dataset["provider"], limit=60)]
    if state != "never ran":
        parts += [words(_ORIGINS.get(dataset["origin"], dataset["origin"])), _rows(dataset["rows"], words)]
    if dataset["quarantined"]:
        parts.append(words("{count} in quarantine", count=words.count(dataset["quarantined"])))
    points, told = _trend(trend, words)
    return Tile(
        dataset=dataset["dataset"],
        tone="attention" if at_risk and state == "succeeded" else tone_of(state),
        state=words("at risk") if at_risk and state == "succeeded" else words(state),
        source=" · ".join(parts),
        copy_age=_age(
            dataset["collected_at"], words, now, words("shipped") if dataset["origin"] == "snapshot" else "–"
        ),
        data_age=_age(dataset["data_time"], words, now, words("not told")),
        score=words.figure(dataset["score"]) if dataset["score"] is not None else words("not measured"),
        points=points,
        trend=told,
        reason=_reason(dataset, at_risk, words, now),
    )


_ORIGINS = {
    "provider": "from the provider",
    "cache": "our copy, within its time to live",
    "last_good": "last good copy",
    "snapshot": "shipped snapshot",
    "none": "nothing delivered",
}


def _rows(count: int, words: Words) -> str:
    return words("1 row") if count == 1 else words("{count} rows", count=words.count(count))


def _age(moment: str | None, words: Words, now: datetime, unknown: str) -> str:
    if moment is None:
        return unknown
    seconds = (now - datetime.fromisoformat(moment)).total_seconds()
    return words.span(seconds) if seconds >= 60 else "< 1 min"


def _reason(dataset: dict[str, Any], at_risk: bool, words: Words, now: datetime) -> str:
    if at_risk and dataset["status"] == "succeeded" and dataset["promise"]["until"]:
        return words("Its promise breaks at {time}.", time=when(dataset["promise"]["until"], words, now))
    if dataset["status"] == "succeeded" and not at_risk:
        return ""
    reason = dataset["blocked"] or dataset["reason"] or ""
    if reason.startswith("promise broken") and dataset["promise"] is not None and dataset["promise"]["until"]:
        # Its own words tell an age, which moves on.
        return words("Its promise is broken since {time}.", time=when(dataset["promise"]["until"], words, now))
    while reason.startswith(f"{dataset['dataset']}: "):
        reason = reason.removeprefix(f"{dataset['dataset']}: ")
    # What a run said was true then: "next try in 40 s".
    said = prose(reason, limit=300)
    return f"{when(dataset['ran_at'], words, now)}: {said}" if said and dataset["ran_at"] else said


def _trend(trend: dict[str, Any] | None, words: Words) -> tuple[tuple[float, ...], str]:
    """The score when it moved, else the rows: a flat line of hundreds says less."""
    if trend is None or not trend["rows"]:
        return (), words("nothing collected yet, so no line")
    moved = len(set(trend["quality"])) > 1
    points = tuple(trend["quality"] if moved else trend["rows"])
    low, high = words.figure(min(points)), words.figure(max(points))
    span = low if low == high else words("{low} to {high}", low=low, high=high)
    name = words("score") if moved else words("rows")
    if len(points) < 2:
        return (), words("{name}: {span}, 1 run so far", name=name, span=span)
    return points, words("{name}, last {count} runs: {span}", name=name, count=len(points), span=span)


def _budgets(datasets: Sequence[dict[str, Any]], words: Words, face: Face | None) -> Panel[Budget]:
    found = [
        _budget(one["dataset"], standing, words)
        for one in datasets
        if one["objective"] is not None
        for standing in one["objective"]["objectives"]
    ]
    if not found and face is None:
        text = "No dataset declares an objective: a share of the time in which it is fresh, or good."
        return Panel(face=Face("no data yet", words(text), prose(words("`objective` in docs/configuration.md"))))
    found.sort(key=lambda pair: pair[0])
    return Panel(tuple(budget for _, budget in found), face=face)


def _budget(dataset: str, standing: dict[str, Any], words: Words) -> tuple[tuple[int, float, str], Budget]:
    state, left = standing["state"], max(0.0, min(1.0, standing["budget_left"]))
    what = words("fresh") if standing["objective"] == "fresh" else words("good")
    asked = _percent(standing["target"], words)
    if standing["share"] is None:
        told = words("{what}: asked is {asked}; nothing is measured yet", what=what, asked=asked)
    else:
        text = "{what} {share} of the time, asked is {asked}; {left} of the error budget left"
        # A share that is far from what is asked moves all the time; nobody needs its decimals.
        share = _percent(standing["share"], words, digits=2 if standing["share"] > 0.9 else 0)
        told = words(text, what=what, share=share, asked=asked, left=_percent(left, words, digits=0))
    budget = Budget(dataset, BUDGETS.get(state, "neutral"), words(state), told, round(left, 2))
    return (_WORST.index(state), left, dataset), budget


def _percent(share: float, words: Words, digits: int = 2) -> str:
    """Never rounded up to all: 99.999 % is not 100 %."""
    shown = share * 100 if share >= 1.0 else min(share * 100, 100 - 10**-digits)
    return f"{words.figure(round(shown, digits))} %"


def _runs(runs: Answer, words: Words, since: datetime | None) -> Panel[Bar]:
    face = face_of(runs, empty=words("No run yet. Run now starts the first one."))
    found = [one for one in runs.document or [] if any(one["counts"].values())]
    late = [one for one in found if since is None or _began(one) >= since][:RUNS]
    if found and not late and face is None:
        face = Face("no data yet", words("No run in this period; a longer one shows more."))
    bars = tuple(Bar(_told_of(one, words), tuple(one["counts"].items())) for one in late[::-1])
    return Panel(bars, face=face, note=_last(runs.document or [], words))


def _told_of(run: dict[str, Any], words: Words) -> str:
    began = _began(run).astimezone(UTC)
    return f"{words.day(began)} {words.clock(began, seconds=True)}"


def _began(run: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(run["started_at"] or run["queued_at"])


def _last(runs: Sequence[dict[str, Any]], words: Words) -> str:
    if not runs:
        return ""
    newest = runs[0]
    if newest["status"] in {"queued", "running"}:
        return words("one is {status} now", status=words(newest["status"]))
    return words("the last one: {status}", status=words(newest["status"]))
