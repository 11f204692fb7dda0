"""Children that ended and that nobody waits for: let go, and nobody's exit code is taken."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

_ADOPTS = """
import ctypes, multiprocessing, os, subprocess, sys
from monitoring.healing.zombies import Zombies
from utils.host.processes import ProcessTable
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: orphans come to us
zombies = Zombies(ProcessTable())

ours = subprocess.Popen([sys.executable, "-S", "-c", "raise SystemExit(7)"])
os.waitid(os.P_PID, ours.pid, os.WEXITED | os.WNOWAIT)

script = "sleep 60 >/dev/null 2>&1 & echo $!; read line"
parent = subprocess.Popen(["sh", "-c", script], stdin=-1, stdout=-1, text=True, start_new_session=NEW)
orphan = int(parent.stdout.readline())
SEEN and zombies.look()
parent.communicate("go")
os.kill(orphan, 9)
os.waitid(os.P_PID, orphan, os.WEXITED | os.WNOWAIT)
print("found", [stat.pid == orphan for stat in zombies.look()])
print("would", zombies.reap(dry_run=True))
print("reaped", zombies.reap())
print("left", zombies.reap())
print("code", ours.wait())
"""


def told(*, seen: bool, new_session: bool) -> dict[str, str]:
    """What a program says that adopts an orphan, with a child of its own that has ended beside it."""
    code = _ADOPTS.replace("NEW", str(new_session)).replace("SEEN", str(seen))
    # In a session that it has not begun itself, as from a shell.
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def test_an_orphan_that_was_seen_with_another_parent_is_let_go_and_our_own_child_is_not() -> None:
    """The exit code of what we started stays for who waits for it."""
    assert told(seen=True, new_session=False) == {
        "found": "[True]",
        "would": "1",
        "reaped": "1",
        "left": "0",
        "code": "7",
    }


def test_an_orphan_of_another_session_is_known_by_it() -> None:
    """Nobody saw it before; but what was born into a session that is neither ours nor its own is not ours."""
    assert told(seen=False, new_session=True)["reaped"] == "1"


def test_what_might_be_our_own_is_left() -> None:
    """Never seen before, and of our own session: it may be a library's child."""
    assert told(seen=False, new_session=False)["reaped"] == "0"
