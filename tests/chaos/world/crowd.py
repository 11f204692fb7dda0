"""What must hold of a world of several processes, of which nobody knows who asked a provider and who told it.

An acknowledgement says which content it is about by its SHA-256. What went out and was acknowledged by nobody may be
what readers get, or may not; what is older than what was acknowledged must not.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.chaos.world.judge import judge
from tests.chaos.world.model import Model, Standing, Version
from tests.chaos.world.provider import Content, Sent
from tests.chaos.world.script import Table

__all__ = ["Crowd"]

SLACK_S = 120.0
"""A process may be held up for so long between an answer and the moment that it notes for it."""


class Crowd(Model):
    """See `Model`; datasets that are replaced only."""

    def __init__(self, tables: Sequence[Table]) -> None:
        super().__init__(tables)
        self._contents: dict[str, tuple[Content, float]] = {}
        self._windows: dict[int, tuple[float, float]] = {}

    def went_out(self, sent: Iterable[Sent]) -> None:
        """Answers of the providers."""
        for one in sent:
            if not one.whole or one.content is None:
                continue
            self._contents[hashlib.sha256(one.body).hexdigest()] = (one.content, one.at)
            number = one.content.number
            since, _ = self._windows.get(number, (one.at, 0.0))
            self._windows[number] = (since, one.at + SLACK_S)
            standing, found = self.standing[one.table], judge(one.content, one.at)
            if found.readable is not False and all(number != known.content for known in self._known(standing)):
                standing.maybe.append(self._version(one.content, one.at))
        for standing in self.standing.values():
            standing.now = standing.now and self._dated(standing.now)
            standing.maybe = [self._dated(one) for one in standing.maybe]

    def heard(self, told: Mapping[str, Any]) -> None:
        """An acknowledgement."""
        name = told["dataset"]
        standing = self.standing[name]
        if told["status"] != "skipped":  # another process had it in hand
            standing.last = told
        if not told["accepted"] or told["origin"] != "provider":
            if told["status"] == "succeeded" and told["origin"] != "cache":
                self._say(name, "succeeded without rows that were accepted")
            return
        content, at = self._contents.get(told["content_sha256"], (None, 0.0))
        if content is None:
            self._say(name, "accepted rows that no provider sent")
            return
        found = judge(content, at)
        if found.readable is False:
            self._say(name, f"accepted a batch of which {len(found.bad)} of {len(content.rows)} rows are bad")
        if not told["unchanged"]:
            self.acknowledged.append((told["version"], name))
            if (told["quarantined"], told["rows"]) != (len(found.bad), len(found.good)):
                self._say(name, f"counted {told['rows']} good and {told['quarantined']} bad rows of {content.number}")
            if found.bad:
                standing.quarantined[told["version"]] = found.bad
        left = [one for one in standing.maybe if one.content > content.number]
        if standing.now is None or standing.now.content <= content.number:
            standing.take(told["version"], self._version(content, at))
        standing.maybe = left

    def _known(self, standing: Standing) -> list[Version]:
        return [*standing.allowed(), *standing.older]

    def _version(self, content: Content, at: float) -> Version:
        found = judge(content, at)
        return self._dated(Version(found.good, content.number, at, at, found.data_time))

    def _dated(self, one: Version) -> Version:
        since, until = self._windows[one.content]
        return one._replace(since=since, until=until)
