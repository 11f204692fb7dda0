"""One moment at which a schedule asks for its dataset."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from utils.events import rfc3339


@dataclass(frozen=True, slots=True, order=True)
class Occurrence:
    """`schedule`: the dataset whose schedule it is; `due`: the moment that the schedule names, aware, UTC.

    A moment moved by jitter, or taken up late, keeps the `due` that the schedule named: it is what the occurrence is
    known by. `cause`: the id of what happened, where no clock named the moment.
    """

    due: datetime
    schedule: str
    cause: str = ""

    @property
    def run_id(self) -> str:
        """The id of the run that this occurrence asks for, the same wherever it is computed.

        A UUIDv7 (RFC 9562 §5.7) of the due time whose random bits come from the schedule's name and the time, so that
        run ids stay ordered by time and no two processes can run one occurrence twice.

        >>> from datetime import UTC
        >>> Occurrence(datetime(2026, 1, 1, tzinfo=UTC), "orders").run_id
        '019b76da-a800-7039-b9fe-5c40c04b9447'
        """
        milliseconds = int(self.due.timestamp() * 1000)
        known_by = f"{self.schedule}\n{rfc3339(self.due)}" + (f"\n{self.cause}" if self.cause else "")
        digest = hashlib.sha256(known_by.encode()).digest()
        low = int.from_bytes(digest[:10], "big")
        value = (milliseconds & (1 << 48) - 1) << 80 | low
        value = value & ~(0xF << 76) | 0x7 << 76  # version
        value = value & ~(0x3 << 62) | 0x2 << 62  # variant
        text = f"{value:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
