"""Stacks of threads: bounded, with what matters kept."""

import threading
from pathlib import Path

from monitoring.server_under_test import Options, TestWatch
from monitoring.service_event import ServiceEvent
from monitoring.stacks import all_stacks
from utils.clock import SYSTEM_CLOCK

DEEP = "/" + "d" * 300 + "/shop.py"


def _stands(frames: int) -> str:
    """The message of a test that hangs `frames` calls deep in a file with a long name."""
    source = "def stand(left):\n    stand(left - 1) if left else wait()\n"
    reached, leave = threading.Event(), threading.Event()

    def wait() -> None:
        reached.set()
        leave.wait(120)

    scope = {"wait": wait}
    exec(compile(source, DEEP, "exec"), scope)
    thread = threading.Thread(target=scope["stand"], args=(frames,))
    thread.start()
    assert reached.wait(120)
    stacks = all_stacks(first=[thread.ident])
    leave.set()
    thread.join(120)
    event = ServiceEvent("unavailable", "a test", "silent", SYSTEM_CLOCK.now(), "stalled", limit_s=1.0, stacks=stacks)
    watch = TestWatch(Options(host=False, alerts=Path("alerts")))
    watch._hear_of_silence(event)
    watch.end()
    (alert,) = Path("alerts").glob("*.json")
    return alert.read_text()


def test_where_a_thread_stands_is_told_however_long_its_path_and_deep_its_calls(tmp_path, monkeypatch):
    """The outermost calls and the beginning of the path are what is left out."""
    monkeypatch.chdir(tmp_path)
    message = _stands(60)
    assert "d/shop.py:2 in stand" in message
    assert " in _stands.<locals>.wait: leave.wait(120)" in message
