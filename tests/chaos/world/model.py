"""What must hold of a world: made of what its providers sent and of what was acknowledged, of nothing else.

What was acknowledged is told by `ran` and `decided`; what is wrong with an acknowledgement itself is in `wrong`.
What readers, operators and the log must show from then on is compared by `checks.py`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.chaos.world.judge import Key, judge
from tests.chaos.world.provider import Sent
from tests.chaos.world.script import Table

__all__ = ["EXCUSES", "Model", "Run", "Standing", "Version"]

EXCUSES = frozenset({"disk", "too slow", "memory", "killed"})
"""Why a good answer need not have been delivered."""


class Version(NamedTuple):
    """Rows that readers were given, or may be: of which content they came last, and when that was sent.

    Attributes:
        since, until: Seconds since 1970; between them the content was collected, or last confirmed.
    """

    rows: tuple[Key, ...]
    content: int
    since: float
    until: float
    data_time: str | None


class Run(NamedTuple):
    """A run as its caller saw it: when it began and ended, and why it may not have delivered what was good."""

    began: float
    ended: float
    fresh: bool = True
    excuses: Collection[str] = ()


@dataclass
class Standing:
    """Of one dataset.

    Attributes:
        now: What readers must get, and the name of that version; None: nothing was ever accepted.
        older: What they got before, the newest last: may be served when `damaged`.
        maybe: What may have been accepted by a run that told nothing.
        quarantined: Rows that must wait in quarantine, by run.
        held: The good rows of batches that were held, by run; `unsure`: runs of those that may have been.
        withdrawn: Contents that somebody took back.
        by_hand: Contents that somebody accepted.
        last: The last acknowledgement.
    """

    table: Table
    now: Version | None = None
    version: str | None = None
    older: list[Version] = field(default_factory=list)
    maybe: list[Version] = field(default_factory=list)
    damaged: bool = False
    quarantined: dict[str, tuple[Key, ...]] = field(default_factory=dict)
    held: dict[str, Version] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)
    versions: dict[str, Version] = field(default_factory=dict)
    withdrawn: set[int] = field(default_factory=set)
    by_hand: set[int] = field(default_factory=set)
    last: Mapping[str, Any] | None = None

    def take(self, version: str, found: Version) -> None:
        """Readers get this from now on."""
        if self.now is not None:
            self.older.append(self.now)
        self.now, self.version, self.versions[version] = found, version, found
        self.damaged, self.maybe = False, []

    def after(self, good: Iterable[Key]) -> tuple[Key, ...]:
        """The table once these rows entered it."""
        before = () if self.now is None or self.table.write == "replace" else self.now.rows
        if self.table.write != "merge":
            return (*before, *good)
        return tuple(({row[0]: row for row in before} | {row[0]: row for row in good}).values())

    def allowed(self) -> list[Version]:
        """What readers may get."""
        found = [] if self.now is None else [self.now]
        return [*found, *self.maybe, *(self.older if self.damaged else ())]


class Model:
    """All datasets of a world.

    Attributes:
        wrong: What was wrong with acknowledgements so far.
        acknowledged: Run and dataset of each that was told to be done.
        head: The newest event that was seen, by its position and hash.
        resident: Bytes of the process when it was looked at first.
    """

    def __init__(self, tables: Sequence[Table]) -> None:
        self.standing = {table.name: Standing(table) for table in tables}
        self.wrong: list[str] = []
        self.acknowledged: list[tuple[str, str]] = []
        self.head: tuple[int, str] = (0, "")
        self.resident = 0

    def ran(self, run_id: str, results: Sequence[Mapping[str, Any]], sent: Sequence[Sent], run: Run) -> None:
        """A run told these results, and this is what went out meanwhile."""
        told = set()
        for result in results:
            told.add(name := result["dataset"])
            answers = [one for one in sent if one.table == name]
            self.acknowledged.append((run_id, name))
            self._result(self.standing[name], run_id, result, answers, run)
        for name, standing in self.standing.items():
            if name not in told:
                self._untold(standing, run_id, [one for one in sent if one.table == name], run)

    def decided(self, name: str, decision: Mapping[str, Any]) -> None:
        """Somebody accepted, rejected or rolled back."""
        standing = self.standing[name]
        if decision["decision"] == "accepted":
            held = standing.held.pop(decision["version"], None)
            if held is None:
                self._say(name, f"accepted {decision['version']}, which was not held")
                return
            standing.by_hand.add(held.content)
            standing.take(decision["current"], held._replace(rows=standing.after(held.rows)))
        elif decision["decision"] == "rejected":
            standing.held.pop(decision["version"], None)
        else:
            before = standing.versions.get(decision["restores"])
            if before is None:
                self._say(name, f"rolled back to {decision['restores']}, which was never acknowledged")
                return
            gone = [one for version, one in standing.versions.items() if version in decision["withdrawn"]]
            standing.withdrawn |= {one.content for one in gone}
            standing.take(decision["current"], before)

    def damaged(self, names: Iterable[str]) -> None:
        """Files of these datasets were spoilt: what was in them may be gone, never wrong."""
        for name in names:
            standing = self.standing[name]
            standing.damaged = True
            standing.held.clear()
            standing.quarantined.clear()

    # --- details ----------------------------------------------------------------------------------

    def _result(
        self, standing: Standing, run_id: str, result: Mapping[str, Any], answers: list[Sent], run: Run
    ) -> None:
        name, status, origin = result["dataset"], result["status"], result["origin"]
        whole = [one for one in answers if one.whole and one.content is not None]
        last = whole[-1] if whole else None
        standing.last = result
        if status == "skipped":
            if "killed" not in run.excuses:
                self._say(name, f"was skipped: {result['reason']}")
        elif origin == "cache":
            if run.fresh:
                self._say(name, "was served from the cache though fresh rows were asked for")
            if answers or standing.version != result["version"]:
                self._say(name, "was served from the cache, which does not stand for what readers get")
        elif result["accepted"]:
            self._accepted(standing, run_id, result, last, run)
        else:
            self._refused(standing, run_id, result, last, run)
        if status == "succeeded" and not result["accepted"]:
            self._say(name, "succeeded without rows that were accepted")

    def _accepted(
        self, standing: Standing, run_id: str, result: Mapping[str, Any], last: Sent | None, run: Run
    ) -> None:
        name = standing.table.name
        if last is None or last.content is None:
            self._say(name, "accepted rows that no provider sent")
            return
        found, content = judge(last.content, run.began), last.content
        if result["unchanged"]:  # it was judged when it came; since then the clock may have been set back
            if standing.now is None or standing.now.content != content.number:
                self._say(name, f"called content {content.number} unchanged, which readers do not have")
                return
            standing.now = standing.now._replace(since=min(standing.now.since, last.at), until=run.ended)
            standing.versions[str(standing.version)] = standing.now
            return
        if found.readable is False and content.number not in standing.by_hand:
            self._say(name, f"accepted a batch of which {len(found.bad)} of {len(content.rows)} rows are bad")
        if content.number in standing.withdrawn:
            self._say(name, f"accepted content {content.number} again, which was taken back")
        if result["quarantined"] != len(found.bad):
            self._say(name, f"counted {result['quarantined']} bad rows, and {len(found.bad)} were sent")
        if result["rows"] != len(found.good):
            self._say(name, f"counted {result['rows']} good rows, and {len(found.good)} were sent")
        if result["version"] in standing.versions:
            self._say(name, f"gave the name of version {result['version']} twice")
        if found.bad:
            standing.quarantined[run_id] = found.bad
        made = Version(standing.after(found.good), content.number, last.at, run.ended, found.data_time)
        standing.take(result["version"], made)

    def _refused(self, standing: Standing, run_id: str, result: Mapping[str, Any], last: Sent | None, run: Run) -> None:
        name, excused = standing.table.name, bool(EXCUSES & set(run.excuses))
        if result["status"] not in {"degraded", "failed"}:
            self._say(name, f"{result['status']} without a delivery")
        if result["origin"] == "last_good" and not standing.allowed():
            self._say(name, "served a last good copy that never was")
        if result["origin"] == "none" and standing.now is not None and not standing.damaged and not excused:
            self._say(name, "served nothing though readers have rows")
        if last is None or last.content is None:
            return
        found, content = judge(last.content, run.began), last.content
        if found.readable and content.number not in standing.withdrawn and not excused:
            self._say(name, f"did not deliver a good answer (content {content.number}): {result['reason']}")
        if content.rows:
            standing.held[run_id] = Version(found.good, content.number, last.at, run.ended, found.data_time)
            if excused:
                standing.unsure.add(run_id)
            elif found.bad:
                standing.quarantined[run_id] = found.bad

    def _untold(self, standing: Standing, run_id: str, answers: list[Sent], run: Run) -> None:
        """Nobody was told what came of these answers: it may be all, or nothing."""
        for one in answers:
            if one.whole and one.content is not None:
                found = judge(one.content, run.began)
                made = Version(found.good, one.content.number, one.at, run.ended, found.data_time)
                if found.readable is not False:
                    standing.maybe.append(made._replace(rows=standing.after(found.good)))
                if found.readable is not True:
                    standing.held[run_id] = made
                    standing.unsure.add(run_id)

    def _say(self, name: str, words: str) -> None:
        self.wrong.append(f"{name}: {words}")
