"""What the page says, computed from what the operations tell: pure, without Streamlit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from dashboard.words import Tone, ago, clock_time, counted, plain, rows_of, tone_of
from operations.activity import Activity, RunActivity, Series
from operations.breakers import Breaker
from operations.status import DatasetStatus, Status
from operations.trouble import Trouble
from operations.words import count_of, duration

T = TypeVar("T")

ORIGINS = {
    "provider": "from the provider",
    "cache": "our copy, within its time to live",
    "last_good": "last good copy",
    "snapshot": "shipped snapshot",
    "none": "nothing delivered",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a look at the state gave. With both, `trouble` is why the look now failed and `activity` is an older one.

    `configuration`: rows of key, value (masked) and where the value came from.
    """

    activity: Activity | None
    trouble: Trouble | None
    configuration: tuple[tuple[str, str, str], ...] = ()
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Face:
    """Why a panel does not show all it could. `kind`: no data yet, stale, broken."""

    kind: str
    words: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Panel(Generic[T]):
    """Rows to draw, a note beside the heading, and perhaps a face above them."""

    rows: tuple[T, ...] = ()
    note: str = ""
    face: Face | None = None


@dataclass(frozen=True, slots=True)
class Headline:
    """The five seconds: a verdict in a few words, then the sentence."""

    tone: Tone
    verdict: str
    sentence: str


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
class Row:
    """A line of a list: what state, what it is about, when, and more in words."""

    tone: Tone
    state: str
    title: str
    when: str
    words: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One finished run in the chart: how many datasets ended how."""

    when: str
    counts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Page:
    """All that is drawn. Equal pages look the same, so an equal one need not be drawn again."""

    headline: Headline
    tiles: Panel[Tile]
    runs: Panel[Row]
    bars: tuple[Bar, ...]
    events: Panel[Row]
    providers: Panel[Row]
    configuration: Panel[tuple[str, str, str]]
    actor: str


def page(reading: Reading) -> Page:
    """The page for a reading; ages are those of the reading's moment."""
    seen, trouble = reading.activity, reading.trouble
    configuration = Panel(reading.configuration, _configured(reading.configuration))
    if seen is None:
        broken = trouble or Trouble("the state was not read yet")
        face = Face("broken", "Cannot be shown: see the message at the top.")
        empty: Panel[Any] = Panel(face=face)
        headline = Headline("bad", "The state cannot be read", _with_hint(broken))
        return Page(headline, empty, empty, (), empty, empty, configuration if reading.configuration else empty, "")
    stale = _stale(seen, trouble) if trouble else None
    bars = () if isinstance(seen.runs, Trouble) else tuple(_bar(run) for run in reversed(seen.runs) if run.counts)
    series = {} if isinstance(seen.series, Trouble) else seen.series
    return Page(
        headline=_headline(seen.status, stale),
        tiles=_panel(
            None if isinstance(seen.status, Trouble) else seen.status.datasets,
            seen.status,
            lambda dataset: _tile(dataset, series.get(dataset.dataset)),
            empty="No dataset is declared yet. `config init` writes a first configuration.",
            note=_states(seen.status),
            stale=stale,
        ),
        runs=_panel(
            None if isinstance(seen.runs, Trouble) else seen.runs[:8],
            seen.runs,
            lambda run: _run(run, seen.at),
            empty="No run yet. Run now starts the first one.",
            note=_last_run(seen),
            stale=stale,
        ),
        bars=bars,
        events=_panel(
            None if isinstance(seen.events, Trouble) else seen.events,
            seen.events,
            lambda event: _event(event, seen.at),
            empty="Nothing has happened yet.",
            note="newest first",
            stale=stale,
        ),
        providers=_panel(
            None if isinstance(seen.breakers, Trouble) else sorted(seen.breakers, key=_worst_circuit),
            seen.breakers,
            lambda breaker: _provider(breaker, seen),
            empty="No provider yet: a dataset brings its own.",
            note="circuits and retries",
            stale=stale,
        ),
        configuration=configuration,
        actor=reading.actor,
    )


def live(reading: Reading, now: datetime) -> str:
    """How fresh the page itself is, in words; seconds matter here."""
    if reading.activity is None:
        return "nothing could be read yet"
    read = max(0.0, (now - reading.activity.at).total_seconds())
    changed = reading.activity.changed_at
    news = f"last news {ago(datetime.fromisoformat(changed), now)}" if changed else "no news yet"
    return f"updated {duration(read)} ago · {news}"


def _panel(
    source: Sequence[Any] | None,
    part: object,
    row: Callable[[Any], T],
    *,
    empty: str,
    note: str = "",
    stale: Face | None = None,
) -> Panel[T]:
    if source is None:
        trouble = part if isinstance(part, Trouble) else Trouble("cannot be read")
        return Panel(face=Face("broken", plain(trouble.message), plain(trouble.hint)))
    if not source:
        return Panel(face=stale or Face("no data yet", empty))
    return Panel(tuple(row(item) for item in source), note, stale)


def _stale(seen: Activity, trouble: Trouble) -> Face:
    return Face("stale", f"As of {clock_time(seen.at, seconds=True)} UTC.", _with_hint(trouble))


def _headline(status: Status | Trouble, stale: Face | None) -> Headline:
    if isinstance(status, Trouble):
        return Headline("bad", "The state cannot be read", _with_hint(status))
    if stale is not None:
        return Headline("bad", "This page shows an older state", f"{stale.words} Now: {stale.hint}")
    states = {dataset.status for dataset in status.datasets}
    sentence = plain(status.sentence, limit=600)
    if "failed" in states:
        return Headline("bad", "Somebody should look", sentence)
    if "degraded" in states:
        return Headline("attention", "Everything arrives, some of it older", sentence)
    if states <= {"never ran"}:
        return Headline("neutral", "Nothing to tell yet", sentence)
    return Headline("good", "All is well", sentence)


def _states(status: Status | Trouble) -> str:
    if isinstance(status, Trouble):
        return ""
    return counted([dataset.status for dataset in status.datasets])


def _tile(dataset: DatasetStatus, series: Series | None) -> Tile:
    points, trend = _trend(series)
    parts = [plain(dataset.provider)]
    if dataset.status != "never ran":
        parts.append(ORIGINS.get(dataset.origin, dataset.origin))
        parts.append(rows_of(dataset.rows))
    if dataset.quarantined:
        parts.append(f"{dataset.quarantined:,} in quarantine")
    reason = dataset.reason or ""
    while reason.startswith(f"{dataset.dataset}: "):
        reason = reason.removeprefix(f"{dataset.dataset}: ")
    return Tile(
        dataset=dataset.dataset,
        tone=tone_of(dataset.status),
        state=dataset.status,
        source=" · ".join(parts),
        copy_age=_coarse(dataset.age_s) if dataset.age_s is not None else _no_copy(dataset),
        data_age=_coarse(dataset.data_age_s) if dataset.data_age_s is not None else "not told",
        score=f"{dataset.score:g}" if dataset.score is not None else "not measured",
        points=points,
        trend=trend,
        reason="" if dataset.status == "succeeded" and not dataset.at_risk else plain(reason, limit=500),
    )


def _no_copy(dataset: DatasetStatus) -> str:
    return "shipped" if dataset.origin == "snapshot" else "none"


def _coarse(seconds: float) -> str:
    """An age that does not flicker: below two minutes a page that is open all day need not count seconds."""
    if seconds < 60:
        return "< 1 min"
    return "1 min" if seconds < 120 else duration(seconds)


def _trend(series: Series | None) -> tuple[tuple[float, ...], str]:
    """The score when it moved, else the rows: a flat line of hundreds says less."""
    if series is None or not series.rows:
        return (), "nothing collected yet, so no line"
    moved = len(set(series.quality)) > 1
    name, points = ("score", series.quality) if moved else ("rows", series.rows)
    low, high = f"{min(points):,.4g}", f"{max(points):,.4g}"
    if name == "rows":
        low, high = f"{min(points):,.0f}", f"{max(points):,.0f}"
    span = low if low == high else f"{low} to {high}"
    if len(points) < 2:
        return (), f"{name}: {span}, 1 run so far"
    return points, f"{name}, last {len(points)} runs: {span}"


def _last_run(seen: Activity) -> str:
    if isinstance(seen.runs, Trouble) or not seen.runs:
        return ""
    newest = seen.runs[0]
    if newest.unfinished:
        return f"one is {newest.status} now"
    if newest.finished_at is None:
        return ""
    past = (seen.at - datetime.fromisoformat(newest.finished_at)).total_seconds()
    return f"the last one ended {_coarse(max(0.0, past))} ago"


def _run(run: RunActivity, now: datetime) -> Row:
    since = run.started_at or run.queued_at
    when = clock_time(datetime.fromisoformat(since), now, seconds=True) if since else ""
    if run.unfinished:
        words = f"{run.done} of {run.total} datasets done"
    elif run.counts:
        words = ", ".join(f"{count} {state}" for state, count in run.counts.items() if count)
    else:
        words = f"stopped after {run.done} of {run.total} datasets"
    if run.duration_s is not None:
        words += f" in {run.duration_s:.1f} s"
    if run.anomalies:
        words += f", {run.anomalies} unusual figures" if run.anomalies > 1 else ", 1 unusual figure"
    return Row(tone_of(run.status), run.status, words, when, plain(f"by {run.actor}"))


def _bar(run: RunActivity) -> Bar:
    since = run.started_at or run.queued_at or ""
    when = datetime.fromisoformat(since).astimezone(UTC).strftime("%-d %b %H:%M:%S") if since else run.run_id
    return Bar(when, tuple(run.counts.items()))


def _event(event: Any, now: datetime) -> Row:
    kind = event.type
    _, _, what = kind.rpartition(".")
    subject = "" if kind.startswith("run.") else plain(event.subject, limit=64)
    return Row(
        tone=tone_of(_run_outcome(event.data) if kind == "run.finished" else what),
        state=kind,
        title=subject,
        when=clock_time(datetime.fromisoformat(event.time), now, seconds=True),
        words=_event_words(kind, event.subject, event.data),
    )


def _run_outcome(data: dict[str, Any]) -> str:
    return str(data.get("status", ""))


def _event_words(kind: str, subject: str, data: dict[str, Any]) -> str:
    if kind in {"batch.accepted", "batch.rejected", "version.rolled_back"} and (actor := data.get("actor")):
        over = data.get("over") if kind != "version.rolled_back" else f"to {data.get('restores', '')}"
        return plain(f"by {actor}: {'; '.join(filter(None, (over, data.get('reason'))))}", limit=200)
    if reason := data.get("reason"):
        return plain(str(reason).removeprefix(f"{subject}: "), limit=200)
    if kind == "run.finished":
        return f"{_run_outcome(data)}, {data.get('duration_s') or 0:.1f} s"
    if kind in {"run.queued", "run.started"}:
        names = data.get("datasets", ())
        return plain(f"{count_of(len(names), 'dataset')}, asked for by {data.get('actor', 'somebody')}")
    if kind.startswith("dataset."):
        score = (data.get("quality") or {}).get("score")
        told = f", score {score:g}" if score is not None else ""
        return f"{rows_of(data.get('rows', 0))}{told}"
    if kind == "rows.quarantined":
        return rows_of(data.get("rows", 0))
    if kind == "quarantine.replayed":
        return f"{data.get('accepted', 0):,} of {rows_of(data.get('replayed', 0))} accepted"
    if kind == "quarantine.dropped":
        return rows_of(data.get("dropped", 0))
    if kind in {"version.published", "publish.failed"}:
        error = data.get("error")
        return plain(f"{data.get('sink', '')}: {error}" if error else f"to {data.get('sink', '')}", limit=200)
    if kind == "maintenance.finished":
        return plain(f"by {data.get('actor', 'the schedule')}")
    if kind == "anomaly.detected":
        return plain(str(data.get("metric", "")))
    return ""


def _worst_circuit(breaker: Breaker) -> tuple[int, str]:
    return ({"open": 0, "half_open": 1}.get(breaker.state, 2 if breaker.held else 3), breaker.provider)


def _provider(breaker: Breaker, seen: Activity) -> Row:
    words = []
    if breaker.retry_after_s is not None:
        words.append(f"next try in {_coarse(breaker.retry_after_s)}")
    if breaker.times_opened and breaker.state != "closed":
        words.append("opened once" if breaker.times_opened == 1 else f"opened {breaker.times_opened} times")
    if breaker.reason:
        words.append(plain(breaker.reason, limit=200))
    words.append(_retries(breaker.provider, seen))
    state = f"circuit {'held ' if breaker.held else ''}{breaker.state.replace('_', ' ')}"
    tone = "attention" if breaker.held and breaker.state == "closed" else tone_of(breaker.state)
    return Row(tone, state, plain(breaker.provider, limit=120), "", " · ".join(words))


def _retries(provider: str, seen: Activity) -> str:
    """How often its datasets asked again in their last run."""
    if isinstance(seen.attempts, Trouble) or isinstance(seen.status, Trouble):
        return "retries cannot be read"
    own = [dataset for dataset in seen.status.datasets if dataset.provider == provider]
    tried = [seen.attempts[dataset.dataset] for dataset in own if seen.attempts.get(dataset.dataset)]
    if not tried:
        ran = any(dataset.status != "never ran" for dataset in own)
        return "not asked in the last run" if ran else "not asked yet"
    again = sum(tries - 1 for tries in tried)
    if not again:
        return "no retry in the last run"
    return "1 retry in the last run" if again == 1 else f"{again} retries in the last run"


def _configured(rows: Sequence[tuple[str, str, str]]) -> str:
    return "secrets are masked" if rows else ""


def _with_hint(trouble: Trouble) -> str:
    message = plain(trouble.message, limit=900, lines=True)
    return f"{message}\n{plain(trouble.hint, limit=300)}" if trouble.hint else message
