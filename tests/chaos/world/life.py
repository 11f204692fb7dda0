"""A world in one process: its steps are done one by one on a clock that is moved, and after each all must hold."""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data_pipeline.errors import PipelineError
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.alerting import deliver
from operations.gate import accept, reject, rollback
from operations.housekeeping import overdue
from operations.kept import projections
from operations.maintain import maintain
from operations.promises import judge_promises
from operations.run import run
from tests.chaos.world.checks import calm, violations
from tests.chaos.world.configuration import configured
from tests.chaos.world.disk import Disk
from tests.chaos.world.model import Model, Run
from tests.chaos.world.provider import Providers
from tests.chaos.world.script import Script, Step
from tests.chaos.world.seen import Seen, look
from tests.faulty_server import FaultyServer
from utils.clock import ManualClock
from utils.database import StateError

__all__ = ["FILES", "Ended", "Life", "Violation", "live", "overwrite"]

ACTOR = Actor("chaos")
BEGINS = datetime(2026, 11, 20, 9, tzinfo=UTC)
LOOK_S = 1800.0
SILENT_S = 16.0
"""What a process could not give back on a full disk is taken from it when it was silent for 15 s."""

ROUNDS, ROUND_S = 5, 90 * 60.0
"""At the end of a world all is well for so long: an incident that came and went needs hours to be over."""

DECISIONS = {"accept": accept, "reject": reject, "rollback": rollback}


class Violation(AssertionError):
    """Something did not hold: the seed of the world, what had happened, and what is wrong."""

    def __init__(self, script: Script, steps: list[Step], wrong: list[str]) -> None:
        done = "".join(f"\n  {number:>2}. {step}" for number, step in enumerate(steps, 1))
        what = "".join(f"\n  - {words}" for words in wrong)
        tables = "".join(f"\n  {table}" for table in script.tables)
        super().__init__(f"seed {script.seed}:{what}\nafter{done}\nof{tables}\nagain: make chaos SEED={script.seed}")


@dataclass(frozen=True, slots=True)
class Ended:
    """A world that held: what must hold at its end, and what was seen."""

    model: Model
    seen: Seen


@dataclass
class Life:
    """One world.

    Attributes:
        done: The steps so far.
        full: Whether the disk is full now.
    """

    script: Script
    folder: Path
    server: FaultyServer
    disk: Disk
    clock: ManualClock = field(default_factory=lambda: ManualClock(BEGINS))
    done: list[Step] = field(default_factory=list)
    full: bool = False

    def __post_init__(self) -> None:
        script = self.script
        self.providers = Providers(script.tables, script.seed, self.clock.time, self.clock.advance)
        self.server.answer = self.providers.answer
        self.model = Model(script.tables)
        self.config = self.folder / "orchestrator.json"
        self.config.write_text(json.dumps(configured(script, self.server.host)))
        self.state = self.folder / "state"
        self.system = self._opened()

    def close(self) -> None:
        self.system.close()
        self.server.requests.clear()

    def step(self, step: Step) -> Seen | None:
        """Do it, and look; None: on a full disk nothing can be looked at.

        Raises:
            Violation: something does not hold.
        """
        self.done.append(step)
        try:
            _STEPS[step.what](self, step)
            seen = look(self.system, self.providers.told, self.model.head)
        except StateError as error:
            if not self.full:
                self._wrong([f"the state is in trouble, though the disk has room: {error}"])
            return None
        self._wrong(violations(self.model, seen, room=not self.full))
        return seen

    def calm_down(self) -> Seen:
        """All is well for a while; then everything is delivered, and every incident is over.

        Raises:
            Violation: it is not.
        """
        for what in ("disk free", "channel well", *(f"mood {name} well" for name in self.script.providers)):
            self.step(Step(*what.split()))
        for _ in range(ROUNDS):
            self.step(Step("pass", much=ROUND_S))
            self.step(Step("run", how="fresh"))
        for _ in range(ROUNDS):
            self.step(Step("pass", much=2 * LOOK_S))
            seen = self.step(Step("run", how="fresh"))  # or promises would break while it is waited
            if not (left := self.system.alert_outbox.undelivered()):
                break  # a channel is not told everything at once
        assert seen is not None
        self._wrong(calm(self.model, seen))
        self._wrong([f"{len(left)} messages wait, though the channel takes them"] if left else [])
        tables = [name for view in projections() for name in view.tables]
        before = {name: sorted(self.system.database.query(f"SELECT * FROM {name}"), key=repr) for name in tables}
        self.system.events.rebuild()
        for name in tables:
            if sorted(self.system.database.query(f"SELECT * FROM {name}"), key=repr) != before[name]:
                self._wrong([f"the view {name} is not what the log says"])
        return seen

    # --- steps ------------------------------------------------------------------------------------

    def mood(self, step: Step) -> None:
        self.providers.moods[step.about] = step.how

    def run(self, step: Step) -> None:
        names = [step.about] if step.about else []
        told: list[dict[str, Any]] = []
        self.providers.taken()
        began, fresh, run_id = self.clock.time(), step.how == "fresh", ""
        try:
            found = run(
                self.system, ACTOR, names, fresh=fresh, workers=1, progress=lambda one: told.append(one.to_json())
            )
            run_id = found.run_id
        except StateError:
            if not self.full:
                raise
            run_id = self._last_run()
        excuses = {"disk"} if self.full else set()
        if "too slow" in self.providers.moods.values():
            excuses.add("too slow")
        self.model.ran(run_id, told, self.providers.taken(), Run(began, self.clock.time(), fresh, excuses))
        self._tell()

    def passes(self, step: Step) -> None:
        left = step.much
        while left > 0.0:
            self.clock.advance(min(left, LOOK_S))
            left -= LOOK_S
            if not self.full:
                judge_promises(self.system)
                self._tell()
                if overdue(self.system):
                    maintain(self.system, ACTOR)

    def sets_clock(self, step: Step) -> None:
        self.clock.set_forward(step.much)

    def decide(self, step: Step) -> None:
        with suppress(PipelineError):  # there is nothing to be decided
            found = DECISIONS[step.what](self.system, ACTOR, step.about)
            self.model.decided(step.about, found.to_json())
        self._tell()

    def restart(self, step: Step) -> None:
        self.system.close()
        if step.how == "empty cache":
            shutil.rmtree(self.state / "cache", ignore_errors=True)
        elif step.how:
            self._damage(step.how)
        self.system = self._opened()

    def maintain(self, step: Step) -> None:
        maintain(self.system, ACTOR)

    def disk_(self, step: Step) -> None:
        if step.about == "full":
            self.disk.fill(int(step.much))
            self.full = True
            return
        self.disk.free()
        self.full = False
        self.clock.advance(SILENT_S)
        self._tell()  # what found no place is told by the next command

    def channel(self, step: Step) -> None:
        self.providers.receives = step.about == "well"

    # --- details ----------------------------------------------------------------------------------

    def _opened(self) -> IntegratedSystem:
        return IntegratedSystem(self.config, state_dir=self.state, environ={}, clock=self.clock)

    def _tell(self) -> None:
        """As every command does at its end."""
        try:
            deliver(self.system)
        except StateError:
            if not self.full:
                raise

    def _last_run(self) -> str:
        found = self.system.views.runs(limit=1)
        return found[0].run_id if found else ""

    def _damage(self, what: str) -> None:
        spoilt = self.script.tables
        if what == "a version":
            files = sorted((self.state / "storage" / "datasets").rglob("*.parquet"))
            spoilt = tuple(table for table in spoilt if files and table.name == files[-1].parent.name)
            paths = files[-1:]
        else:
            paths = [self.state / FILES[what]]
        for path in paths:
            if path.exists():
                overwrite(path)
        if what in {"versions", "a version"}:
            self.model.damaged(table.name for table in spoilt)

    def _wrong(self, found: list[str]) -> None:
        if found:
            raise Violation(self.script, self.done, found)


def overwrite(path: Path) -> None:
    """All but the first page, as a bad disk would."""
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * max(4096, len(content) - 4096))


FILES = {"cache": "cache/cache.db", "coordination": "coordination.db", "versions": "storage/.small.db"}
_STEPS: dict[str, Callable[[Life, Step], None]] = {
    "mood": Life.mood,
    "run": Life.run,
    "pass": Life.passes,
    "clock": Life.sets_clock,
    "accept": Life.decide,
    "reject": Life.decide,
    "rollback": Life.decide,
    "restart": Life.restart,
    "maintain": Life.maintain,
    "disk": Life.disk_,
    "channel": Life.channel,
}


def live(script: Script, server: FaultyServer, disk: Disk) -> Ended:
    """A world from its first step to its calm end.

    Raises:
        Violation: something did not hold.
    """
    with disk.folder(f"world-{script.seed}") as folder:
        life = Life(script, folder, server, disk)
        try:
            for step in script.steps:
                life.step(step)
            seen = life.calm_down()
        finally:
            disk.free()
            life.close()
    return Ended(life.model, seen)
