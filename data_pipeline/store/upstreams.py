"""Where the datasets stand that a dataset needs: the version that readers see, or why nothing may be built on it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from config.datasets import DatasetSettings
from data_pipeline.collect.collector import InputTable
from data_pipeline.dataset import Provenance
from data_pipeline.errors import UpstreamBlocked
from data_pipeline.store.results import Results
from data_pipeline.store.views import Current, Version, Views

__all__ = ["NOTHING_NEEDED", "Needed", "Upstream", "Upstreams"]


@dataclass(frozen=True, slots=True)
class Upstream:
    """One dataset that another needs.

    Attributes:
        version: What readers see; "": nothing was accepted.
        as_of: The moment its rows speak of: their data time, else when they were collected.
        blocked: Why nothing may be built on it; "": it may. `root`: where that begins.
        doubt: Why what is built on it is not as good as it should be; "": it is.
        needs_decision: Its newest batch is held, and somebody must accept or reject it.
    """

    dataset: str
    version: str = ""
    as_of: datetime | None = None
    blocked: str = ""
    root: str = ""
    doubt: str = ""
    needs_decision: bool = False


@dataclass(frozen=True, slots=True)
class Needed:
    """All that one dataset needs, in the order of its `depends_on`."""

    upstreams: tuple[Upstream, ...] = ()

    @property
    def blocked(self) -> UpstreamBlocked | None:
        """Why it cannot begin; None: it can."""
        stops = [upstream for upstream in self.upstreams if upstream.blocked]
        if not stops:
            return None
        waits = [upstream.dataset for upstream in stops if upstream.needs_decision]
        hint = f"`why {stops[0].dataset}` tells what to do; then run it again"
        if waits:
            hint = f"look at it with `show {waits[0]} --batch`, then `accept {waits[0]}` or `reject {waits[0]}`"
        root = "; ".join(dict.fromkeys(upstream.root for upstream in stops))
        return UpstreamBlocked(f"blocked: {'; '.join(upstream.blocked for upstream in stops)}", root=root, hint=hint)

    @property
    def doubt(self) -> str:
        """Why what is made of these is degraded; "": all are as they should be."""
        return "; ".join(upstream.doubt for upstream in self.upstreams if upstream.doubt)

    @property
    def versions(self) -> tuple[tuple[str, str], ...]:
        return tuple((upstream.dataset, upstream.version) for upstream in self.upstreams)

    @property
    def as_of(self) -> datetime | None:
        """The moment of the oldest of them."""
        return min((one.as_of for one in self.upstreams if one.as_of is not None), default=None)


NOTHING_NEEDED = Needed()


class Upstreams:
    """Looks in the views how datasets stand now. Thread-safe."""

    def __init__(self, results: Results, views: Views, *, memory_limit: int) -> None:
        self._results = results
        self._views = views
        self._memory_limit = memory_limit

    def of(self, dataset: DatasetSettings, seen: dict[str, Upstream] | None = None) -> Needed:
        """What a dataset needs by `depends_on`.

        Args:
            seen: How others were found in the same run, and then this: many may need the same. What came of those in
                the run must be committed, and nothing comes of them any more.
        """
        if not dataset.depends_on:
            return NOTHING_NEEDED
        if seen is None:
            seen = {}
        for name in dataset.depends_on:
            if name not in seen:
                seen[name] = self.one(name)
        return Needed(tuple([seen[name] for name in dataset.depends_on]))

    def one(self, name: str) -> Upstream:
        """How one dataset stands."""
        current = self._views.current_of(name)
        turn = self._views.last_turn(name)
        version = self._results.last_good(current, thorough=False)
        if (held := self._views.decisions.held(name).get(name)) is not None:
            stored = self._views.version(name, held)
            reason = _ended(stored.body["reason"] if stored is not None else "")
            words = f"{name} is held{reason}"
            return Upstream(name, blocked=words, root=words, needs_decision=True)
        if turn is not None and turn["status"] == "skipped":
            root = str(turn["error"]["root"])
            return Upstream(name, blocked=f"{name} is blocked ({root})", root=root)
        if version is None or current is None:
            reason = _ended(turn["reason"] or "", name) if turn is not None else " (it never ran)"
            words = f"{name} has no accepted rows{reason}"
            return Upstream(name, blocked=words, root=words)
        doubt = ""
        if turn is not None and turn["status"] in {"degraded", "failed"}:
            state = "is degraded" if turn["status"] == "degraded" else "has failed"
            doubt = f"{name} {state}{_ended(turn['reason'] or '', name)}"
        return Upstream(name, version.version, _as_of(version, current), doubt=doubt)

    def last_turn(self, name: str) -> dict[str, Any] | None:
        """See `Views.last_turn`."""
        return self._views.last_turn(name)

    def table(self, name: str) -> InputTable:
        """The rows that readers of a dataset see now.

        Raises:
            UpstreamBlocked: there are none.
            StoreError: its files cannot be read.
        """
        current = self._views.current_of(name)
        version = self._results.last_good(current)
        if version is None or current is None:
            hint = f"run it: `run {name}`"
            raise UpstreamBlocked(f"{name} has no accepted rows", root=name, hint=hint)
        as_of = _as_of(version, current)
        provenance = Provenance(provider=version.body["provider"], collected_at=as_of)
        rows = self._results.batch(version.path, provenance, memory_limit=self._memory_limit)
        return InputTable(name, version.version, as_of, rows)


def _as_of(version: Version, current: Current) -> datetime:
    """The data time of a version, else when the provider last sent or confirmed it."""
    mine = version.version == current.version
    said = (current.data_time if mine else None) or version.body["data_time"]
    sent = (current.collected_at if mine else None) or version.body["collected_at"]
    return datetime.fromisoformat(said or sent)


def _ended(reason: str, name: str = "") -> str:
    """A reason behind a sentence, in brackets."""
    words = reason.removeprefix(f"{name}: ").rstrip(".")
    return f" ({words})" if words else ""
