"""Ctrl-C during a backfill: what came is stored, the command ends at once, and somebody goes on later."""

import json
import os
import signal
import subprocess

from operations.show import delivered
from tests.chaos.state import Battered

PROVIDER = """
def piece(partition):
    if partition.key == "c":
        open(GATE).read()
    return [{"key": partition.key}]
"""


def test_an_interrupted_backfill_keeps_what_came(battered: Battered) -> None:
    """Though a request hangs that nobody can call back."""
    gate = battered.folder / "gate"
    os.mkfifo(gate)
    (battered.folder / "hanging.py").write_text(PROVIDER.replace("GATE", repr(str(gate))))
    collect = {"kind": "python", "function": "hanging:piece"}
    battered.configure([{"name": "sales", "collect": collect, "partition": {"by": list("abcd")}}], code=["."])
    command = battered.command("backfill", "sales", "--concurrency", "1", "--json")
    # The gate opens once the provider is asked for `c`.
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, gate.open("w"):
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=120)
    *pieces, result = [json.loads(line) for line in out.splitlines()]
    assert (process.returncode, result["status"]) == (130, "interrupted")
    assert [one["partition"] for one in pieces] == ["a", "b"]
    battered.verified()

    (battered.folder / "hanging.py").write_text(PROVIDER.replace('"c"', "None"))
    assert battered.cli("backfills", "resume", result["backfill"]).returncode == 0
    with battered.system() as system:
        assert [row["key"] for row in delivered(system, "sales").table.to_pylist()] == list("abcd")
