"""How this machine stands, as rows of words."""

from typing import NamedTuple

from monitoring.progressive import Report, Snapshot
from operations.words import size

__all__ = ["Row", "rows"]

RESOURCES = ("cpu", "memory", "disk")


class Row(NamedTuple):
    """One figure: now, its state, its mean over the last ten minutes, and where it goes in an hour; "": none."""

    name: str
    now: str
    state: str = ""
    mean: str = ""
    per_hour: str = ""


def rows(seen: Snapshot, report: Report) -> list[Row]:
    """The three resources first, then what else is known."""
    found = []
    for name in RESOURCES:
        percent, trend = getattr(seen, f"{name}_percent"), report.trends.get(name)
        mean = f"{trend.mean:.0f} %" if trend is not None else ""
        slope = "" if trend is None or trend.per_hour is None else f"{trend.per_hour:+.1f}"
        now = "unknown" if percent is None else f"{percent:.0f} %"
        found.append(Row(name, now, report.states.get(name, "unknown"), mean, slope))
    others = (
        ("disk free", seen.disk_free_bytes, size),
        ("swap", seen.swap_percent, _percent),
        ("load", seen.load_1m, lambda load: f"{load:.2f}"),
        ("disk read", seen.io_read_bytes_s, _rate),
        ("disk written", seen.io_write_bytes_s, _rate),
        ("network in", seen.network_recv_bytes_s, _rate),
        ("network out", seen.network_sent_bytes_s, _rate),
        ("network latency", seen.network_latency_ms, lambda took: f"{took:.0f} ms"),
        ("connections", seen.connections, lambda number: f"{number:,}"),
        ("processes", seen.processes, lambda number: f"{number:,}"),
        ("waits for cpu", seen.pressure_cpu, _percent),
        ("waits for memory", seen.pressure_memory, _percent),
        ("waits for disks", seen.pressure_io, _percent),
        ("temperature", seen.temperature_c, lambda degrees: f"{degrees:.0f} °C"),
    )
    return found + [Row(name, words(value)) for name, value, words in others if value is not None]


def _percent(value: float) -> str:
    return f"{value:.0f} %"


def _rate(value: float) -> str:
    return f"{size(value)}/s"
