"""Processes of a world that may be stopped, held up and killed: `child.py CONFIG STATE ACKNOWLEDGED` forks one a line.

A line is JSON: `{"do": "run", "names": [], "memory": 0}` or `{"do": "serve", "port": 8000}`; the answer is the child's
pid. Forked from a process that has imported all, a child works some milliseconds after it was asked for. Each dataset
run that was acknowledged is one line of the file ACKNOWLEDGED; what goes wrong in a child is on the standard error.
"""

import faulthandler
import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from api.serving import ApiService  # noqa: F401 - likewise
from cli.run_commands import interruptible
from cli.stopping import stopped_by_signals
from data_pipeline.collect.http import http  # noqa: F401 - so that the children need not import it
from data_pipeline.dataset import DatasetRun
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.alerting import after_run
from operations.api import service as api
from operations.run import CancelToken, run
from operations.schedule import serving
from tests.warm import import_arrow
from utils.database import StateError

ACTOR = Actor("chaos")
FAILED = 1


def run_datasets(system: IntegratedSystem, names: list[str], memory: int, out: int) -> int:
    """As the command `run` does, and tells each dataset when it is done; `memory`: bytes more than there are now."""
    if memory:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # threads that find none say so as the interpreter does
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + memory, held + memory))

    def acknowledged(one: DatasetRun) -> None:
        os.write(out, (json.dumps(one.to_json()) + "\n").encode())

    cancel = CancelToken()
    with interruptible(cancel.cancel) as stopped:
        found = run(system, ACTOR, names, fresh=True, workers=3, cancel=cancel, progress=acknowledged)
    if stopped:
        return 128 + stopped[0]
    after_run(system)
    return FAILED if found.status == "failed" else 0


def serve(system: IntegratedSystem, port: int) -> int:
    """As the command `serve` does, without the page, and without the watch on a machine that others use as well."""
    everything = serving(system, workers=3, beside=lambda system: [api(system, port=port)], program="serve")
    with stopped_by_signals(everything) as came:
        everything.run()
    return 128 + came[0]


def work(config: str, state: str, acknowledged: str, asked: dict[str, Any]) -> int:
    out = os.open(acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        with IntegratedSystem(Path(config), state_dir=Path(state), environ={}) as system:
            if asked["do"] == "serve":
                return serve(system, asked["port"])
            return run_datasets(system, asked["names"], asked["memory"], out)
    except StateError:
        return FAILED  # a full disk: said in words by the command line
    except Exception:
        if not asked.get("memory"):
            raise
        return FAILED


def main(config: str, state: str, acknowledged: str) -> None:
    import_arrow()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are buried by the kernel
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            faulthandler.register(signal.SIGUSR1, file=os.dup(2))  # who does not end is asked where it stands
            code = 99
            try:
                code = work(config, state, acknowledged, json.loads(line))
            except BaseException:  # noqa: BLE001 - whatever it is, the world has to see it
                traceback.print_exc()
                sys.stderr.flush()
            finally:
                os._exit(code)
        os.write(1, f"{child}\n".encode())
    os.killpg(0, signal.SIGKILL)  # the world is over, be it that somebody ended it: nobody stays behind


if __name__ == "__main__":
    main(*sys.argv[1:])
