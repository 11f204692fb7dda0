"""`kill -9` at every step of a decision: readers get what was before or what was decided, and nothing between."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.errors import PipelineError
from operations.actor import Actor
from operations.gate import accept, reject, rollback
from operations.maintain import maintain
from operations.run import run
from operations.show import delivered
from operations.versions import versions
from tests.chaos.state import Battered

GOOD = "id,name\n1,a\n2,b\n3,c\n4,d\n5,e\n"
NEWER = "id,name\n6,f\n7,g\n1,h\n8,i\n9,j\n"
DOUBTED = f"{NEWER}99,k\n"
"""One row is bad; it holds the batch."""

WAYS: dict[str, dict[str, Any]] = {
    "replaced": {},
    "merged": {"write": "merge", "key": ["id"], "deletes": "remove"},
}
DECIDE = {"accept": accept, "reject": reject, "rollback": rollback}


@pytest.fixture
def forking() -> Iterator["subprocess.Popen[str]"]:
    program = [sys.executable, str(Path(__file__).with_name("gate_steps.py"))]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        yield parent
        assert parent.stdin is not None
        parent.stdin.close()


def prepare(battered: Battered, what: str, way: dict[str, Any]) -> None:
    """A state in which the decision is due: a held batch after a good one, or two good ones."""
    rule = {"range": {"column": "id", "max": 98, "severity": "critical"}}
    sink = {"kind": "file", "path": "out.csv"}
    block = {"name": "rows", "collect": {"kind": "file", "path": "in.csv"}, "rules": [rule], "publish": [sink], **way}
    battered.configure([block])
    for content in (GOOD, NEWER if what == "rollback" else DOUBTED):
        (battered.folder / "in.csv").write_text(content)
        with battered.system() as system:
            run(system, Actor("test"), fresh=True)


def rows(battered: Battered) -> list[tuple[int, str]]:
    with battered.system() as system:
        return sorted((row["id"], row["name"]) for row in delivered(system, "rows").table.to_pylist())


def published(battered: Battered) -> list[tuple[int, str]]:
    lines = (battered.folder / "out.csv").read_text().splitlines()[1:]
    return sorted((int(line.split(",")[0]), line.split(",")[1]) for line in lines)


def check(battered: Battered, before: list[tuple[int, str]], after: list[tuple[int, str]]) -> bool:
    """Assert that the state is whole; whether the decision is in it."""
    battered.verified()
    assert rows(battered) in (before, after)
    assert published(battered) in (before, after)
    with battered.system() as system:
        found = versions(system, "rows")
        current = system.views.version("rows", found.current or "")
        assert current is not None
        assert current.is_accepted
        assert system.results.damage(current) is None
        done = any(one.actor == "chaos" for one in found.versions)
        live = found, system.views.latest()
        system.events.rebuild()
        assert (versions(system, "rows"), system.views.latest()) == live
    assert before == after or done == (rows(battered) == after)
    return done


def killed_at_every_step(
    folder: Path, forking: "subprocess.Popen[str]", what: str, way: dict[str, Any], *, every: int
) -> int:
    """Kill the decision at each `every`th step, each time in a copy of the same state; how many kills there were."""
    home = Battered(folder / "home", folder / "home" / "state")
    home.folder.mkdir()
    prepare(home, what, way)
    before = rows(home)
    whole = Battered(folder / "whole", folder / "whole" / "state")
    shutil.copytree(home.folder, whole.folder)
    with whole.system() as system:
        DECIDE[what](system, Actor("chaos"), "rows")
    after = rows(whole)
    assert forking.stdin is not None
    assert forking.stdout is not None
    for kills, step in enumerate(range(0, 1000, every)):
        copy = Battered(folder / f"step {step}".replace(" ", "_"), folder / f"step_{step}" / "state")
        shutil.copytree(home.folder, copy.folder)
        forking.stdin.write(f"{copy.config} {copy.state} {what} {step}\n")
        forking.stdin.flush()
        answer = forking.stdout.readline().strip()
        assert answer in {"killed", "done"}
        done = check(copy, before, after)
        if answer == "done":
            assert done
            return kills
        with copy.system() as system:
            if done:
                with pytest.raises(PipelineError, match=r"nothing is held|no version before"):
                    DECIDE[what](system, Actor("test"), "rows")
            else:
                DECIDE[what](system, Actor("chaos"), "rows")
            maintain(system, Actor("test"))
        assert (rows(copy), published(copy)) == (after, after)
    raise AssertionError("it never came to its end")


@pytest.mark.parametrize(("what", "way"), [("accept", "merged"), ("rollback", "replaced")], ids=["accept", "rollback"])
def test_a_decision_that_is_killed_was_taken_or_was_not(
    tmp_path: Path, forking: "subprocess.Popen[str]", what: str, way: str
) -> None:
    """At every fourth step; a second try does what is left, and no more."""
    assert killed_at_every_step(tmp_path, forking, what, WAYS[way], every=4) > 2


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", DECIDE)
def test_every_decision_at_every_step(tmp_path: Path, forking: "subprocess.Popen[str]", what: str, way: str) -> None:
    """The full count, with its figures."""
    kills = killed_at_every_step(tmp_path, forking, what, WAYS[way], every=1)
    print(f"\n{what}, {way}: killed at {kills} steps, each time whole")
    assert kills >= 8
