"""Lets go of children that have ended and that nobody waits for, without taking an exit code from anybody.

A child that this program started is waited for by whoever started it: `subprocess`, `multiprocessing`, a library.
Taking its exit code would make it look successful. Only children that came to us from elsewhere are let go: as the
first process of a container, or as a subreaper, we are given the orphans of others, and nobody here waits for those.
"""

import os
import sys

from utils.host.processes import Identity, ProcessStat, ProcessTable

__all__ = ["Zombies"]


class Zombies:
    """Keeps in mind which processes had another parent before.

    Args:
        table: Reads all processes; called at each look.
    """

    def __init__(self, table: ProcessTable) -> None:
        self._table = table
        self._pid, self._session = os.getpid(), os.getsid(0)
        self._strangers: set[Identity] = set()  # seen as the children of others

    def look(self) -> list[ProcessStat]:
        """Children of ours that have ended, that nobody has waited for, and that nobody here has started."""
        found = self._table.read(owners=False)
        known = {stat.identity for stat in found}
        self._strangers &= known
        self._strangers |= {stat.identity for stat in found if stat.ppid != self._pid}
        return [stat for stat in found if stat.ppid == self._pid and stat.state == "Z" and self._is_adopted(stat)]

    def reap(self, *, dry_run: bool = False) -> int:
        """Let them go; gives how many (in a dry run: would be)."""
        count = 0
        for stat in self.look():
            count += dry_run or self._wait_for(stat)
        if not dry_run and (processes := sys.modules.get("multiprocessing")) is not None:
            processes.active_children()  # joins its own that have ended, and keeps their exit codes
        return count

    def _is_adopted(self, stat: ProcessStat) -> bool:
        """Whether somebody else started it.

        It had another parent once. Or it is in a session that is neither ours nor its own: a process is born into the
        session of who starts it and can leave it only for a new one of its own, so who started it was in that session.
        """
        if stat.identity in self._strangers:
            return True
        # Who leads a session may have begun it after it had started children: then nothing follows from sessions.
        inherited = os.getsid(0) == self._session and (self._session != self._pid or self._pid == 1)
        return inherited and stat.session not in {0, self._session, stat.pid}

    @staticmethod
    def _wait_for(stat: ProcessStat) -> bool:
        try:
            done, _ = os.waitpid(stat.pid, os.WNOHANG)
        except ChildProcessError:
            return False  # somebody did it meanwhile
        return done == stat.pid
