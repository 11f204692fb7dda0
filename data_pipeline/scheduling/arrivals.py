"""Files that come: those that are new or were changed, and are whole."""

import glob
import os
import stat
from collections.abc import Iterable, Mapping

from data_pipeline.scheduling.views import FileLook

__all__ = ["LOOK_EVERY_S", "Arrivals"]

LOOK_EVERY_S = 2.0
"""Seconds between two looks into the folders."""

LONGEST_BURST_S = 60.0
"""Where files never stop coming, those that are whole are not kept waiting longer for the others."""


class Arrivals:
    """Looks for the files of one pattern. A file is whole when two looks find it the same.

    Files that come one after the other are one burst: they are given together, once a look finds all of them whole.

    Args:
        pattern: An absolute path; `*`, `?`, `[…]` and `**` as in a shell.
        seen: What was given before, by path.
    """

    def __init__(self, pattern: str, seen: Mapping[str, FileLook]) -> None:
        self._pattern = pattern
        self._seen = dict(seen)
        self._before: dict[str, FileLook] = {}
        self._since: float | None = None  # when the oldest that waits was found

    @property
    def waits(self) -> bool:
        """Whether files came that were not given yet, as the last look found it."""
        return bool(self._before)

    def look(self, now: float) -> tuple[list[FileLook], list[str]]:
        """Files that came, and the paths of those that were given once and are there no more.

        They are given again until `keep` is told. `now`: seconds since 1970.
        """
        found = {file.path: file for file in self._found()}
        new = {path: file for path, file in found.items() if self._seen.get(path) != file}
        whole = [file for path, file in new.items() if self._before.get(path) == file]
        self._before = new
        gone = [path for path in self._seen if path not in found]
        if not new:
            self._since = None
            return [], gone
        if self._since is None:
            self._since = now
        if len(whole) < len(new) and now - self._since < LONGEST_BURST_S:
            return [], gone
        return whole, gone

    def keep(self, came: Iterable[FileLook], gone: Iterable[str]) -> None:
        """These were seen to."""
        self._seen |= {file.path: file for file in came}
        for path in gone:
            self._seen.pop(path, None)
        self._before = {path: file for path, file in self._before.items() if self._seen.get(path) != file}
        self._since = None

    def _found(self) -> Iterable[FileLook]:
        # A file whose own name holds brackets is taken as it is.
        plain = os.path.exists(self._pattern)  # noqa: PTH110 - looked at every two seconds
        for path in [self._pattern] if plain else sorted(glob.glob(self._pattern, recursive=True)):  # noqa: PTH207
            try:
                about = os.stat(path)
            except OSError:
                continue  # it went away meanwhile
            if stat.S_ISREG(about.st_mode):
                # What is written down is text; a name need not be.
                name = os.fsencode(path).decode(errors="backslashreplace")
                yield FileLook(name, about.st_size, about.st_mtime_ns)
