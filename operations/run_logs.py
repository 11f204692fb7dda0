"""What was logged for a run: read back from the log files, the newest first."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from integrated_system import IntegratedSystem

__all__ = ["LogLine", "LogLines", "lines_of"]

MOST_BYTES = 64 << 20
"""Of each file that are read at most, from its end: a run of long ago is looked for in the older files."""

_FRAME = ("time", "level", "component", "event")


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a log file. `fields`: what stands beside the words."""

    time: str
    level: str
    component: str
    event: str
    fields: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {**{name: getattr(self, name) for name in _FRAME}, "fields": self.fields}


@dataclass(frozen=True, slots=True)
class LogLines:
    """Lines, oldest first. `kept`: whether lines are written as JSON at all; `more`: there are older ones."""

    lines: tuple[LogLine, ...]
    kept: bool
    more: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"lines": [line.to_json() for line in self.lines], "kept": self.kept, "more": self.more}


def lines_of(system: IntegratedSystem, run_id: str, *, limit: int = 200) -> LogLines:
    """The newest lines that name a run."""
    folder, kept = system.state_dir / "logs", system.settings.logging.files in (True, "json")
    found: list[LogLine] = []
    run = system.views.run(run_id)
    since = "" if run is None else run.queued_at or run.started_at or ""
    for path in _files(folder, since):
        found += _named(path, run_id, limit + 1)
    found.sort(key=lambda line: line.time)
    return LogLines(tuple(found[-limit:]), kept, len(found) > limit)


def _files(folder: Path, since: str) -> Iterator[Path]:
    """Live and rotated files of JSON lines; of the rotated ones those that ended after a moment of the log."""
    try:
        paths = sorted(folder.iterdir())
    except FileNotFoundError:
        return
    stamp = since.replace("-", "").replace(":", "")  # as the name of a rotated file has it
    for path in paths:
        name = path.name.removesuffix(".gz")
        if not name.endswith(".jsonl"):
            continue
        rotated = name.removesuffix(".jsonl").rpartition("-")[2]
        if rotated.endswith("Z") and rotated < stamp:
            continue
        yield path


def _named(path: Path, run_id: str, most: int) -> list[LogLine]:
    """The last lines of a file that have the id of the run as a field."""
    marked, found = orjson.dumps(run_id), list[LogLine]()
    content = _content(path)
    for line in reversed(content.splitlines() if marked in content else []):
        if marked not in line:
            continue
        try:
            told = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue  # cut off by the bound above, or being written
        if told.get("run_id") == run_id:
            time, level, component, event = (str(told.pop(name, "")) for name in _FRAME)
            del told["run_id"]
            found.append(LogLine(time, level, component, event, told))
        if len(found) == most:
            break
    return found


def _content(path: Path) -> bytes:
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as packed:
                return packed.read(MOST_BYTES)
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - MOST_BYTES))
            return file.read()
    except (OSError, EOFError):
        return b""  # rotated away meanwhile
