"""An outbox for a program without an installation: a file beside its alerts, and a thread that sends."""

import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from monitoring.alerting.channels import Sending
from monitoring.alerting.delivery import Delivery
from monitoring.alerting.letter import Post
from monitoring.alerting.outbox import Outbox
from monitoring.alerting.outbox_table import SCHEMA
from monitoring.alerting.turn import FileTurn
from utils.clock import SYSTEM_CLOCK, Clock
from utils.database import Connection, StateError
from utils.events import NewEvent
from utils.logger import get_logger
from utils.sqlite import SqliteDatabase, prepare_directory

__all__ = ["OwnPost"]

LOOK_EVERY_S = 5.0
"""How soon what another program left in the same folder is taken over."""


class OwnPost:
    """Sends messages of this program: what a kill leaves behind, the next start sends.

    Args:
        folder: Where the outbox lies; None: in one that is gone with the program.
        channels: How to send, by name.
    """

    def __init__(self, folder: Path | None, channels: Mapping[str, Sending], *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="alerts-") if folder is None else None
        place = Path(self._temporary.name) if self._temporary is not None else folder
        assert place is not None
        prepare_directory(place)
        self._database = SqliteDatabase(place / "outbox.db", migrations=[SCHEMA])
        self.outbox = Outbox(self._database, self._record, clock=clock)
        self._delivery = Delivery(self.outbox, channels, turn=FileTurn(place / ".outbox.lock"), clock=clock)
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="alerts", daemon=True)
        self._thread.start()

    def put(self, posts: Sequence[Post]) -> None:
        """Have these sent.

        Raises:
            StateError: the outbox cannot be written.
        """
        self.outbox.put(posts)
        self._delivery.wake()

    def close(self, within_s: float = 5.0) -> None:
        """Send what can be sent within so many seconds; the rest is left for the next start."""
        self._stopping = True
        self._delivery.wake()
        self._thread.join()
        try:
            self._delivery.drain(within_s)
        except StateError as error:
            get_logger("alerts").warning("alert.left", reason=str(error))
        self._delivery.close(within_s=1.0)
        self._database.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def _work(self) -> None:
        while not self._stopping:
            seen = self._delivery.ended
            try:
                wait = self._delivery.step()
            except StateError as error:
                get_logger("alerts").warning("alerts.wait", reason=str(error))
                wait = LOOK_EVERY_S
            if not self._stopping:
                self._delivery.wait(min(wait, LOOK_EVERY_S), seen)

    def _record(self, events: Sequence[NewEvent], change: Callable[[Connection], None]) -> None:
        """There is no log that events could go to."""
        with self._database.transaction() as connection:
            change(connection)
