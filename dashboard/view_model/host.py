"""How is this machine? What it uses, who uses it, how closely it is watched, and what was done about it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.charts.series import Line, line_of
from dashboard.language import Words
from dashboard.source import Answer
from dashboard.view_model.base import Face, Panel, Row, face_of
from dashboard.words import Tone, plain, prose
from operations.words import size

__all__ = ["FIGURES", "LEVELS", "Chart", "Gauge", "Host", "Process", "charts", "host", "level_told", "mode_told"]

LEVELS = ("IDLE", "NORMAL", "INTENSIVE", "CRITICAL")
FIGURES = {
    "host_cpu_percent": ("CPU", "%"),
    "host_memory_percent": ("Memory", "%"),
    "host_disk_percent": ("Disk", "%"),
    "host_load_1m": ("Load", ""),
}
"""Series that are drawn: what they are called, and their unit."""

ATTENTION, BAD = 75.0, 90.0
"""Percent from which a gauge asks for attention; what is critical is decided by who watches."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """One figure of now."""

    name: str
    tone: Tone
    value: str
    words: str


@dataclass(frozen=True, slots=True)
class Process:
    """One of the processes that use the most."""

    pid: int
    name: str
    user: str
    cpu: str
    memory: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure of the machine over the period."""

    metric: str
    name: str
    unit: str
    line: Line | None


@dataclass(frozen=True, slots=True)
class Host:
    """What changes now and then. Equal ones look the same; what moves all the time is in `gauges`."""

    sentence: str
    tone: Tone
    level: str | None
    mode: str | None
    protection: str
    face: Face | None
    done: Panel[Row]


def host(now: Answer, events: Answer, words: Words, moment: datetime) -> Host:
    """The page for the answers of `host` and `events` (what was done, newest first)."""
    found = now.document
    level = found["level"] if found else None
    sentence, tone = _sentence(found, words)
    face = face_of(now)
    if face is None and level is None:
        face = Face("no data yet", words("Nobody watches this machine."), prose(words("`serve` does, or `monitor`.")))
    mode = found["mode"] if found else None
    return Host(sentence, tone, level, mode, _protection(found, words), face, _done(events, words, moment))


def gauges(now: Answer, words: Words) -> tuple[Gauge, ...]:
    """What the machine and this process use at this moment."""
    if now.document is None:
        return ()
    sample, garbage = now.document["sample"], now.document["garbage"]
    own = words("{size}, {threads} threads", size=size(sample["own_rss_bytes"] or 0), threads=sample["python_threads"])
    collected = sum(part["collections"] for part in garbage)
    return (
        _percent(words("CPU"), sample["cpu_percent"], _load(sample, words), words),
        _percent(words("Memory"), sample["memory_percent"], _free(sample, "memory_available_bytes", words), words),
        _percent(words("Disk"), sample["disk_percent"], _free(sample, "disk_free_bytes", words), words),
        Gauge(words("Network"), "neutral", _rate(sample["network_recv_bytes_s"]), _sent(sample, words)),
        Gauge(words("This process"), "neutral", f"{sample['own_cpu_percent'] or 0:.0f} %", own),
        Gauge(words("Garbage"), "neutral", words.count(collected), words("collections since it started")),
    )


def processes(now: Answer) -> tuple[Process, ...]:
    """Those that use the most of the processor, then those that use the most memory."""
    if now.document is None:
        return ()
    sample = now.document["sample"]
    found: dict[int, Process] = {}
    for one in (*sample["top_cpu"], *sample["top_memory"]):
        found.setdefault(
            one["pid"],
            Process(
                one["pid"],
                plain(str(one["name"]), limit=40),
                plain(str(one["user"] or ""), limit=30),
                f"{one['cpu_percent'] or 0:.0f} %",
                size(one["rss_bytes"] or 0),
            ),
        )
    return tuple(found.values())


def host_series(names: Answer) -> dict[str, str]:
    """Metric -> the name by which its series is asked for; of several machines the one that was measured last."""
    newest: dict[str, tuple[str, str]] = {}
    for one in names.document or []:
        if one["metric"] in FIGURES and "host" in one["labels"]:
            newest[one["metric"]] = max(newest.get(one["metric"], ("", "")), (one["newest"] or "", one["series"]))
    return {metric: series for metric, (_, series) in newest.items()}


def charts(series: dict[str, str], history: Answer, words: Words) -> tuple[Chart, ...]:
    """The figures over the period."""
    curves = {one["series"]: one for one in history.document or []}
    found = []
    for metric, name in series.items():
        title, unit = FIGURES[metric]
        curve = curves.get(name)
        line = line_of(curve, words(title)) if curve and curve["points"] else None
        found.append(Chart(metric, words(title), unit, line))
    return tuple(found)


def level_told(document: Any, words: Words) -> str:
    """What was asked for."""
    return words("{level} is asked for: within two seconds it holds.", level=document["level"])


def mode_told(document: Any, words: Words) -> str:
    """Likewise, of the protector."""
    return words("The protector goes by the limits of {mode} now.", mode=document["mode"])


def _sentence(found: dict[str, Any] | None, words: Words) -> tuple[str, Tone]:
    if found is None:
        return words("Nothing is known of this machine."), "neutral"
    sample = found["sample"]
    figures = {"cpu": sample["cpu_percent"], "memory": sample["memory_percent"], "disk": sample["disk_percent"]}
    names = {"cpu": words("CPU"), "memory": words("Memory"), "disk": words("Disk")}
    full = [name for name, value in figures.items() if value is not None and value >= BAD]
    if full:
        return words("Nearly used up: {names}.", names=", ".join(names[name] for name in full)), "bad"
    much = [name for name, value in figures.items() if value is not None and value >= ATTENTION]
    if much:
        return words("Much is used: {names}.", names=", ".join(names[name] for name in much)), "attention"
    return words("There is room for everything."), "good"


def _percent(name: str, value: float | None, told: str, words: Words) -> Gauge:
    if value is None:
        return Gauge(name, "neutral", words("not to be had"), told)
    tone: Tone = "bad" if value >= BAD else "attention" if value >= ATTENTION else "good"
    return Gauge(name, tone, f"{value:.0f} %", told)


def _load(sample: dict[str, Any], words: Words) -> str:
    if sample["load_1m"] is None:
        return ""
    return words(
        "load {load} on {cores} cores", load=words.figure(sample["load_1m"], 2), cores=f"{sample['cpu_cores'] or 1:g}"
    )


def _free(sample: dict[str, Any], name: str, words: Words) -> str:
    return words("{size} free", size=size(sample[name])) if sample[name] is not None else ""


def _rate(value: float | None) -> str:
    return f"{size(value or 0)}/s"


def _sent(sample: dict[str, Any], words: Words) -> str:
    return words("in, and {rate} out", rate=_rate(sample["network_sent_bytes_s"]))


def _protection(found: dict[str, Any] | None, words: Words) -> str:
    if found is None:
        return ""
    healing = words("Healing is on.") if found["healing"] else words("Healing is off.")
    if found["mode"] is None:
        return words("The protector is off.") + f" {healing}"
    only = words("It only tells what it would do.") if found["dry_run"] else words("It acts.")
    return " ".join((words("The protector goes by the limits of {mode} now.", mode=found["mode"]), only, healing))


def _done(events: Answer, words: Words, moment: datetime) -> Panel[Row]:
    rows = tuple(_row(one, words, moment) for one in events.document or [])
    face = face_of(events)
    if face is None and not rows:
        face = Face("no data yet", words("Nothing had to be done in this period."))
    return Panel(rows, face=face)


def _row(event: dict[str, Any], words: Words, moment: datetime) -> Row:
    data, kind = event["data"], event["type"]
    helped = data.get("helped", data.get("fell"))
    tone: Tone = "neutral"
    if kind.endswith(("gave_up", "overloaded")) or data.get("error"):
        tone = "bad"
    elif helped is not None:
        tone = "good" if helped else "attention"
    elif kind.endswith(("relieved", "recovered")):
        tone = "good"
    when = words.clock(datetime.fromisoformat(event["time"]), moment)
    return Row(tone, kind, plain(event["subject"], limit=60), when, _told(data, helped, words))


def _told(data: dict[str, Any], helped: bool | None, words: Words) -> str:
    parts = [data.get(name) for name in ("words", "why", "reason", "detail", "error")]
    told = [plain(str(part), limit=240) for part in parts if part][:2]
    if data.get("action") and not told:
        told.append(plain(str(data["action"]), limit=60))
    if data.get("before") and data.get("after"):
        told.append(
            words("before {before}, after {after}", before=_figures(data["before"]), after=_figures(data["after"]))
        )
    if helped is not None:
        told.append(words("it helped") if helped else words("it did not help"))
    if data.get("actor"):
        told.append(words("by {name}", name=plain(str(data["actor"]), limit=60)))
    return " · ".join(told)


def _figures(found: object) -> str:
    if isinstance(found, dict):
        known = {name: value for name, value in found.items() if isinstance(value, int | float) and value is not True}
        return ", ".join(f"{plain(str(name), limit=24)} {value:g}" for name, value in list(known.items())[:4])
    return plain(str(found), limit=80)
