"""What is known of a blob beside its bytes."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """What was written."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Blob:
    """What is there."""

    path: str
    size: int
    modified: datetime
