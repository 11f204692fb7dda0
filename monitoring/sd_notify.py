"""Tell systemd that the service is ready, works, and stops: `sd_notify(3)` over its datagram socket."""

import os
import socket
from collections.abc import Mapping
from typing import Self

from utils.clock import SYSTEM_CLOCK, Clock

__all__ = ["SystemdNotifier"]


class SystemdNotifier:
    """Speaks to the service manager. What cannot be sent at once is no reason to wait: every call says if it went.

    Args:
        address: Of the socket: a path, or a name after `@` for an abstract one.
        watchdog_s: `WatchdogSec` of the unit, seconds; None: it wants no sign of life.
    """

    def __init__(self, address: str, watchdog_s: float | None = None, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_s = watchdog_s
        self._monotonic = clock.monotonic
        self._sent_at = self._asked_at = clock.monotonic()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ, *, clock: Clock = SYSTEM_CLOCK) -> Self | None:
        """As systemd tells it in `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`; None when it did not start us."""
        address = environ.get("NOTIFY_SOCKET", "")
        if address[:1] not in {"/", "@"} or len(address) < 2:
            return None
        usec, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
        meant = pid in {"", str(os.getpid())}  # a child inherits the variables, and is not the one that is watched
        watchdog_s = int(usec) / 1e6 if meant and usec.isdecimal() and int(usec) > 0 else None
        return cls(address, watchdog_s, clock=clock)

    def ready(self, status: str = "") -> bool:
        """It is started: what depends on it may start."""
        return self._send("READY=1", status)

    def stopping(self, status: str = "") -> bool:
        """It begins to stop."""
        return self._send("STOPPING=1", status)

    def status(self, status: str) -> bool:
        """One line that `systemctl status` shows."""
        return self._send("", status)

    def alive(self) -> bool:
        """To be called by the loop that works, whenever it comes by: a sign of life goes out when it is due.

        That is when the next call, as far from this one as this is from the one before, would come later than half
        of `WatchdogSec` after the last sign. Gives whether one was sent.
        """
        if self.watchdog_s is None:
            return False
        now = self._monotonic()
        gap, self._asked_at = now - self._asked_at, now
        if now + gap - self._sent_at < self.watchdog_s / 2:
            return False
        if not self._send("WATCHDOG=1"):
            return False
        self._sent_at = now
        return True

    def _send(self, state: str, status: str = "") -> bool:
        lines = [state] if state else []
        if status:
            lines.append("STATUS=" + " ".join(status.split()))
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto("\n".join(lines).encode(), self._address)
        except OSError:
            return False
        return True
