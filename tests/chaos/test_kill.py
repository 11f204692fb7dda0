"""`kill -9` at random moments of a run: nothing acknowledged is lost, and the next command goes on."""

import random
import subprocess
import time
from dataclasses import dataclass, field

import pytest

from operations.actor import Actor
from operations.run import resume, run
from tests.chaos.state import Battered, simulated

NAMES = [f"d{number:03d}" for number in range(120)]


@dataclass
class Killed:
    """One process that was killed. `moment` in words, `acknowledged`: what it had said was done."""

    moment: str
    acknowledged: list[str] = field(default_factory=list)


def kill_one(battered: Battered, dice: random.Random) -> Killed:
    """Start a run and kill it: while it starts (one in five), else some milliseconds after a number of datasets."""
    with subprocess.Popen(battered.driver("run"), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said: list[str] = []
        if dice.random() < 0.2:
            killed, pause = Killed("while it started"), dice.uniform(0.0, 0.6)
        else:
            after = dice.randrange(len(NAMES))
            killed, pause = Killed(f"after {after}"), dice.uniform(0.0, 0.02)
            said += (process.stdout.readline() for _ in range(after))
        try:
            process.wait(pause)
        except subprocess.TimeoutExpired:
            process.kill()
        said += process.stdout  # what it had said before, read to its end
    killed.acknowledged = [line.split()[1] for line in said if line.startswith("done ") and line.endswith("\n")]
    return killed


def survive(battered: Battered, kills: int, seed: int) -> list[Killed]:
    """Kill `kills` runs of one state, and after each of them assert all that must hold."""
    battered.configure(simulated(NAMES, latency="2ms"))
    dice = random.Random(seed)
    history = []
    for _ in range(kills):
        before = set(battered.runs())
        history.append(killed := kill_one(battered, dice))

        battered.verified()
        new = [run_id for run_id in battered.runs() if run_id not in before]
        if not new:
            assert not killed.acknowledged, "a dataset was acknowledged, but its run is not in the log"
            with battered.system() as system:
                assert run(system, Actor("test"), NAMES[:20], fresh=True).status == "succeeded"
            continue
        (run_id,) = new
        battered.keeps(run_id, killed.acknowledged)
        if battered.runs()[run_id] == "succeeded":
            continue  # it was quicker than the kill
        with battered.system() as system:
            assert resume(system, Actor("test"), run_id).status == "succeeded"
        assert battered.delivered(run_id) == dict.fromkeys(NAMES, 1)
        assert set(battered.runs().values()) == {"succeeded"}
    return history


def test_nothing_acknowledged_is_lost_when_a_run_is_killed(battered: Battered) -> None:
    """Three kills: log, views and files hold what was acknowledged; a resumed run does the rest, each dataset once."""
    history = survive(battered, kills=3, seed=20)

    checked = battered.cli("events", "verify")
    assert checked.returncode == 0, checked.stderr
    assert sum(len(killed.acknowledged) for killed in history) > 0


def test_a_killed_run_is_crashed_as_soon_as_the_next_one_starts(battered: Battered) -> None:
    """A dead owner on this host is seen at once: no waiting, no dataset "already running"."""
    stuck = {"resilience": {"timeout": {"read": "20m"}, "deadline": "20m"}}
    battered.configure([*simulated(NAMES[:-1]), *({**one, **stuck} for one in simulated(NAMES[-1:], latency="10m"))])
    with subprocess.Popen(battered.driver("run"), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    battered.configure(simulated(NAMES))
    (run_id,) = battered.runs()

    done = battered.cli("run", NAMES[0], NAMES[-1], "--json")

    assert done.returncode == 0, done.stderr
    assert '"skipped"' not in done.stdout
    assert list(battered.runs().values()) == ["crashed", "succeeded"]
    assert battered.runs()[run_id] == "crashed"


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_nothing_acknowledged_is_lost_over_fifty_kills(battered: Battered) -> None:
    """The full count of the acceptance test, with its figures."""
    began = time.perf_counter()
    history = survive(battered, kills=50, seed=50)

    midway = [killed for killed in history if 0 < len(killed.acknowledged) < len(NAMES)]
    acknowledged = sum(len(killed.acknowledged) for killed in history)
    print(
        f"\nkills: {len(history)}, in the middle of the work: {len(midway)}, acknowledged: {acknowledged:,}, lost: 0, "
        f"events: {battered.verified():,}, chain whole, {time.perf_counter() - began:.0f} s"
    )
    assert len(midway) >= 20
