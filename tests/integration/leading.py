"""Several `schedule` processes on one state directory: started, stopped, killed; and what each said it has done."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from data_pipeline.scheduling.views import Schedules
from tests.integration.installation import Installation, environment
from utils.events import rfc3339
from utils.leases import Owner

SECOND = timedelta(seconds=1)
PATIENCE_S = 120.0


class Process:
    """One `schedule --json`. Each occurrence that it sees to is a line, with the time at which we had it."""

    def __init__(self, command: list[str], folder: str) -> None:
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, env=environment()
        )
        self.lines: queue.Queue[tuple[float, dict[str, Any]]] = queue.Queue()
        self.errors = ""
        self._readers = [threading.Thread(target=read) for read in (self._read, self._read_errors)]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    def line(self, timeout: float = PATIENCE_S) -> tuple[float, dict[str, Any]]:
        """The next one."""
        try:
            return self.lines.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(f"no line within {timeout} s; it said: {self.errors[-2000:]}") from None

    def told(self) -> list[datetime]:
        """Take the lines that are there; gives the due times."""
        found = []
        while not self.lines.empty():
            found.append(datetime.fromisoformat(self.lines.get()[1]["due"]))
        return found

    def send(self, number: int) -> float:
        """A signal; gives the time."""
        os.kill(self.pid, number)
        return time.monotonic()

    def end(self) -> int:
        """Stop it in order; gives its exit code."""
        if self.process.poll() is None:
            self.send(signal.SIGTERM)
        return self._over(timeout=PATIENCE_S)

    def kill(self) -> float:
        """Stop it at once; gives the time."""
        at = self.send(signal.SIGKILL)
        self._over(timeout=PATIENCE_S)
        return at

    def _over(self, timeout: float) -> int:
        code = self.process.wait(timeout)
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put((time.monotonic(), json.loads(line)))

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors += line


class Pack:
    """Processes of one installation whose datasets are due every second."""

    def __init__(self, installation: Installation, datasets: int) -> None:
        self.installation = installation
        self.names = [f"tick_{number}" for number in range(datasets)]
        schedule = {"every": "1s", "missed": "all", "overlap": "queue"}
        installation.configure(
            *({"name": name, "collect": {"kind": "simulated", "rows": 1}, "schedule": schedule} for name in self.names)
        )
        self.processes: list[Process] = []

    def start(self) -> Process:
        """One more."""
        command = self.installation.command("schedule", "--json")
        made = Process([sys.executable, *command[1:]], str(self.installation.folder))
        self.processes.append(made)
        return made

    def leader(self) -> Process | None:
        """The one that the log calls the leader, if it is one of ours that lives."""
        with self.installation.system() as system:
            led = Schedules(system.database).leader()
        pid = Owner.parse(led.owner).pid if led is not None else 0
        return next((one for one in self.processes if one.pid == pid and one.process.poll() is None), None)

    def grow_silent(self, process: Process) -> None:
        """As if its last heartbeat lay 20 seconds back. It is to be stopped, or it would beat again."""
        with self.installation.system() as system, system.coordination.transaction() as connection:
            connection.execute(
                "UPDATE leases SET heartbeat = heartbeat - 20, beat = beat - 20 WHERE owner LIKE ?",
                (f"%|{process.pid}|%",),
            )

    def close(self) -> None:
        """End what still runs."""
        for one in self.processes:
            if one.process.poll() is None:
                one.send(signal.SIGCONT)
                one.kill()

    def wrong(self) -> list[str]:
        """What is not as it should be with any occurrence since its schedule was set, in words."""
        found: list[str] = []
        with self.installation.system() as system:
            stands = Schedules(system.database).all()
            events = system.database.query(
                "SELECT type, subject, data FROM events WHERE type IN ('run.queued', 'schedule.skipped')"
            )
            seen: Counter[tuple[str, str]] = Counter()
            for kind, subject, text in events:
                data = json.loads(text)
                if kind == "schedule.skipped":
                    seen[subject, data["due"]] += 1
                elif "reason" not in data:  # put back: its process died
                    seen[data["because"]["schedule"], data["because"]["due"]] += 1
            found += [f"{name}: {due} was seen to {count} times" for (name, due), count in seen.items() if count > 1]
            for name in self.names:
                due = _whole(stands[name].since)
                while due <= stands[name].handled:
                    if (name, rfc3339(due)) not in seen:
                        found.append(f"{name}: {due} was lost")
                    due += SECOND
            found += _twice(system.database.query)
        return found


def _whole(since: datetime) -> datetime:
    """The first whole second after a moment."""
    return since.replace(microsecond=0) + SECOND


def _twice(query: Callable[[str], list[tuple[Any, ...]]]) -> list[str]:
    """Runs whose dataset was recorded more than once."""
    rows = query("SELECT data FROM events WHERE type LIKE 'dataset.%'")
    runs: Counter[str] = Counter(json.loads(text)["run_id"] for (text,) in rows)
    if not runs:
        return ["nothing was run"]
    return [f"run {run_id} was recorded {count} times" for run_id, count in runs.items() if count > 1]
