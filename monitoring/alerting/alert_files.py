"""Alerts as files: `alert_<epoch>_<type>.json` each, and `index.jsonl` with one line each; the newest 500 are kept.

A line of the index begins with what an editor's problem matcher looks for: how grave, in which file, what.
"""

import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from monitoring.alerting.alert import Alert
from utils.file_lock import FileLock

__all__ = ["KEPT", "LOOK_EVERY", "AlertFiles"]

KEPT = 500
"""Alerts that are kept; the index is written anew once it has a tenth more."""

LOOK_EVERY = 25
"""Alerts after which a program looks how long the index is; before that at its first."""

LONGEST_TYPE = 100
"""Signs of a type that are part of a file's name: file systems take 255 of a name."""

INDEX, _LOCK = "index.jsonl", ".alerts.lock"
_UNFIT = re.compile(r"[^a-z0-9_]+")
_PROBLEM = {"info": "info", "warning": "warning", "error": "error", "critical": "error"}


class AlertFiles:
    """The folder. Several processes may write into it.

    Args:
        folder: Made when the first alert is written; for the owner alone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._appended = 0
        self._stem, self._written = "", dict[str, int]()  # of one second and type: the numbers by the alerts' ids

    def write(self, alert: Alert) -> Path:
        """Write an alert; one that is there already is left as it is. Gives its file.

        Raises:
            OSError: the disk does not take it.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(self.folder / _LOCK):
            path, is_new = self._place(alert)
            if is_new:
                self._put(path, orjson.dumps(alert.to_json(), option=orjson.OPT_INDENT_2) + b"\n")
                self._append(_line(alert, path.name))
        return path

    def index(self) -> list[dict[str, Any]]:
        """The lines of the index, the oldest first; one that was cut off by a full disk is passed over."""
        try:
            lines = (self.folder / INDEX).read_bytes().splitlines()
        except FileNotFoundError:
            return []
        found = []
        for line in lines:
            try:
                found.append(orjson.loads(line))
            except orjson.JSONDecodeError:
                continue
        return found

    def find(self, identity: str) -> Alert | None:
        """The alert with this id; None when it is not kept (any more)."""
        for line in reversed(self.index()):
            if line.get("id") == identity:
                try:
                    told = orjson.loads((self.folder / Path(str(line["file"])).name).read_bytes())
                    return Alert(**{**told, "datasets": tuple(told["datasets"])})
                except (OSError, KeyError, TypeError, orjson.JSONDecodeError):
                    return None
        return None

    def _place(self, alert: Alert) -> tuple[Path, bool]:
        """Its file, and whether it is new: two alerts of one second and type are two files."""
        epoch = int(datetime.fromisoformat(alert.time).timestamp())
        kind = _UNFIT.sub("_", alert.type.lower())[:LONGEST_TYPE].strip("_")
        stem = f"alert_{epoch}_{kind or 'alert'}"
        if stem != self._stem:
            self._stem, self._written = stem, {}
        # In a storm a second has hundreds: those that we wrote are not read again for each.
        first = self._written.get(alert.id) or max(self._written.values(), default=0) + 1
        for number in range(first, 10_000):
            path = self.folder / (f"{stem}.json" if number == 1 else f"{stem}_{number}.json")
            try:
                there = orjson.loads(path.read_bytes())
            except FileNotFoundError:
                self._written[alert.id] = number
                return path, True
            except orjson.JSONDecodeError:
                continue
            if there.get("id") == alert.id:
                return path, False
        raise OSError(f"too many alerts of one second: {stem}")

    def _put(self, path: Path, data: bytes) -> None:
        partial = path.with_name(f".{path.name}.tmp")
        fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        os.replace(partial, path)

    def _append(self, line: bytes) -> None:
        path = self.folder / INDEX
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "r+b") as file:
            whole = not (size := os.fstat(fd).st_size) or os.pread(fd, 1, size - 1) == b"\n"
            file.write(line if whole else b"\n" + line)
        self._appended += 1
        if self._appended % LOOK_EVERY != 1:
            return
        lines = path.read_bytes().splitlines(keepends=True)
        if len(lines) > KEPT + KEPT // 10:
            self._put(path, b"".join(lines[-KEPT:]))
            self._drop(lines[:-KEPT])

    def _drop(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            try:
                name = str(orjson.loads(line)["file"])
            except (orjson.JSONDecodeError, KeyError, TypeError):
                continue
            if Path(name).name == name and name.startswith("alert_"):
                (self.folder / name).unlink(missing_ok=True)


def _line(alert: Alert, name: str) -> bytes:
    line = {
        "problem": _PROBLEM[alert.level],
        "file": name,
        "title": alert.title,
        "level": alert.level,
        "type": alert.type,
        "kind": alert.kind,
        "time": alert.time,
        "id": alert.id,
        "incident": alert.incident or None,
        "source": alert.source,
    }
    return orjson.dumps(line) + b"\n"
