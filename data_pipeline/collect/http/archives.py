"""Answers that are zip archives: `https://…/gtfs.zip!stops.txt` reads a member, an archive of one file is that file."""

import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace

from data_pipeline.collect.collector import CollectRequest
from data_pipeline.collect.files.archives import is_archive, members
from data_pipeline.collect.files.listing import Budget
from data_pipeline.dataset import Payload
from data_pipeline.errors import PayloadUnreadable

__all__ = ["unpacked"]

_SHOWN = 8


def unpacked(payloads: Iterable[Payload], pattern: str | None, request: CollectRequest) -> Iterator[Payload]:
    """The members that match the pattern; without one every payload as it is, and of an archive its only file.

    Raises:
        PayloadUnreadable: without a pattern, an archive of several files; else as `members`.
    """
    budget = Budget()
    for payload in payloads:
        # An address seldom ends in .zip; the content says what it is.
        named = payload if payload.name.lower().endswith(".zip") else replace(payload, name=f"{payload.name}.zip")
        if pattern is None and not is_archive(named):
            yield payload
            continue
        if pattern is None:
            _must_hold_one(named, request)
        for member in members(named, pattern, request, budget):
            yield replace(member, extra=payload.extra)


def _must_hold_one(archive: Payload, request: CollectRequest) -> None:
    try:
        with archive.open() as stream, zipfile.ZipFile(stream) as opened:
            names = [info.filename for info in opened.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        return  # its damage is told when its members are read
    names = [name for name in names if not name.startswith("__MACOSX/") and not name.rpartition("/")[2].startswith(".")]
    if len(names) < 2:
        return
    there = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    raise PayloadUnreadable(
        f"{request.dataset}: this is a zip archive of {len(names):,} files: {there}",
        hint=f"name those that are one table behind `.zip!` in `url`, such as `….zip!{names[0]}`",
        provider=request.provider,
    )
