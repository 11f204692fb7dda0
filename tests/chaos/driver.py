"""A process that runs datasets and says each one's name once it is done, so that a test knows what was acknowledged.

`driver.py CONFIG STATE run [DATASET...]`, `... resume RUN_ID`, `... queue`, `... work` (off the queue, until nothing is
left; it says each run's id once it has ended). With GO in the environment it gets ready,
says `ready`, and waits for a line on its standard input, so that several can start at the same moment.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data_pipeline.dataset import DatasetRun
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.queue import queue_worker
from operations.run import queue, resume, run


def say(word: str) -> None:
    """One whole line, at once and past all buffers: what was said is out, even if the next moment kills us."""
    os.write(1, f"{word}\n".encode())


def acknowledged(done: DatasetRun) -> None:
    say(f"{'done' if done.status == 'succeeded' else done.status} {done.dataset}")


def main(config: str, state: str, what: str, *names: str) -> None:
    actor = Actor("chaos")
    with IntegratedSystem(Path(config), state_dir=Path(state), environ={}) as system:
        if "GO" in os.environ:
            assert system.runner is not None  # everything that takes time to build is built
            say("ready")
            sys.stdin.readline()
        if what == "queue":
            say(queue(system, actor, names).run_id)
            return
        if what == "work":
            worker = queue_worker(system, told=lambda ended: say(ended.run_id))
            while system.views.waiting(limit=1) or system.views.runs(limit=1, status="running"):
                worker.drain()
            worker.close()
            return
        if what == "resume":
            result = resume(system, actor, names[0], progress=acknowledged)
        else:
            result = run(system, actor, names, fresh=True, progress=acknowledged)
    say(json.dumps(result.to_json()))


if __name__ == "__main__":
    main(*sys.argv[1:])
