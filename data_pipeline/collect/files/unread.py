"""Which files of a listing are to be read now: ready, at rest, and not read before."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

from config.durations import Duration, format_duration
from data_pipeline.collect import placeholders
from data_pipeline.collect.files.listing import Found
from data_pipeline.dataset import FileSeen

__all__ = ["Ready", "Which", "fingerprint", "not_read_yet", "ready_files"]

RACE = 2.0
"""Seconds: file systems and servers keep times as coarse as that, so a file this young may change unseen."""

_SHOWN = 5


def _marker(value: str) -> str:
    plain = placeholders.check(value)
    if plain.count("*") > 1 or any(sign in plain for sign in "?["):
        raise ValueError("a marker is a name such as `_SUCCESS`, or one `*` in place of the file's name: `*.done`")
    if plain == "*" or not plain.strip() or plain.startswith("/") or ".." in plain.split("/"):
        raise ValueError("a marker stands beside the file or below its folder; write `_SUCCESS` or `*.done`")
    return value


class Which(BaseModel):
    """The keys that say which files are read.

    Attributes:
        ready: A marker that must be there. With `*`: one for each file, the star standing for its name with or
            without endings (`rates.csv` waits for `rates.csv.done` or `rates.done`). Without: one for each folder.
        stable_for: Seconds since the last change; younger files are left for the next run.
        reread: `changed`: a file is read again when its size or time, and then its content, changed. `always`: each
            time. `never`: once.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ready: Annotated[str, AfterValidator(_marker)] | None = None
    stable_for: Duration = 0.0
    reread: Literal["changed", "always", "never"] = "changed"


@dataclass(frozen=True, slots=True)
class Ready:
    """The files that may be read now, and why others may not, in words."""

    files: tuple[Found, ...]
    notes: tuple[str, ...] = ()


def ready_files(
    found: Iterable[Found],
    *,
    marker: str | None,
    names: Callable[[str], Collection[str]],
    stable_for: float,
    now: float,
) -> Ready:
    """Leave out markers themselves, files whose marker is not there, and files that changed a moment ago.

    Args:
        marker: `Which.ready`, filled in.
        names: Gives the names in a folder.
        now: Epoch seconds.
    """
    files = list(found)
    notes = []
    if marker is not None:
        files = [file for file in files if not _is_marker(file, marker)]
        waiting = [file for file in files if not _is_marked(file, marker, names)]
        if waiting:
            notes.append(f"{_counted(waiting)} for marker `{marker}`: {_listed(waiting)}")
        files = _without(files, waiting)
    if stable_for:
        young = [file for file in files if file.modified is None or now - file.modified < stable_for]
        if young:
            rest = format_duration(stable_for)
            notes.append(f"{_counted(young)} until unchanged for {rest} (`stable_for`): {_listed(young)}")
        files = _without(files, young)
    return Ready(tuple(files), tuple(notes))


def not_read_yet(files: Iterable[Found], ledger: Mapping[str, FileSeen], reread: str) -> tuple[Found, ...]:
    """The files that are new, or that look changed since they were read."""
    if reread == "always":
        return tuple(files)
    return tuple(file for file in files if (seen := ledger.get(file.path)) is None or _changed(file, seen, reread))


def fingerprint(files: Iterable[Found], reread: str, now: float) -> str:
    """Equal for two listings that show the same files unchanged; empty when that cannot be told."""
    files = sorted(files, key=lambda file: file.path)
    digest = hashlib.sha256()
    for file in files:
        if reread == "never":
            digest.update(f"{file.path}\0".encode())
            continue
        if not file.etag and (file.modified is None or now - file.modified < RACE):
            return ""
        digest.update(f"{file.path}\0{file.size}\0{file.modified!r}\0{file.etag}\0".encode())
    return digest.hexdigest() if files else ""


def _changed(file: Found, seen: FileSeen, reread: str) -> bool:
    return reread == "changed" and (file.size != seen.size or (file.modified or 0.0) != seen.modified)


def _is_marker(file: Found, marker: str) -> bool:
    return fnmatchcase(file.name, marker.rpartition("/")[2]) and (
        "/" not in marker or file.folder.endswith("/" + marker.rpartition("/")[0])
    )


def _is_marked(file: Found, marker: str, names: Callable[[str], Collection[str]]) -> bool:
    below, _, name = marker.rpartition("/")
    there = names(f"{file.folder}/{below}" if below else file.folder)
    if "*" not in name:
        return name in there
    return any(name.replace("*", stem) in there for stem in _stems(file.name))


def _stems(name: str) -> Iterable[str]:
    """The name, then without its last ending, and so on."""
    while name:
        yield name
        shorter = name.rpartition(".")[0]
        if shorter == name:
            return
        name = shorter


def _without(files: list[Found], left: list[Found]) -> list[Found]:
    gone = {file.path for file in left}
    return [file for file in files if file.path not in gone]


def _counted(files: list[Found]) -> str:
    return "1 file waits" if len(files) == 1 else f"{len(files)} files wait"


def _listed(files: list[Found]) -> str:
    more = ", …" if len(files) > _SHOWN else ""
    return ", ".join(file.name for file in files[:_SHOWN]) + more
