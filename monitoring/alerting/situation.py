"""What a message has to say beyond the event: asked of the installation at the moment it is written.

`monitoring` knows no dataset; who builds the alerting (operations) answers these questions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

__all__ = ["DatasetStanding", "ProviderStanding", "Situation"]


@dataclass(frozen=True, slots=True)
class DatasetStanding:
    """How a dataset stands for its readers. Ages in seconds.

    Attributes:
        origin: What readers are served: `provider cache last_good snapshot none`.
        data_time: Of the data served; `collected_at`: of our copy.
        next_try: When the provider is asked next; None: not by itself.
        breaks_at: When its promise breaks unless something newer comes; None: nothing is promised.
        broken: Its promise is broken by now.
        readers: Datasets made of it.
    """

    dataset: str
    provider: str
    status: str
    origin: str
    age_s: float | None = None
    data_age_s: float | None = None
    data_time: datetime | None = None
    collected_at: datetime | None = None
    next_try: datetime | None = None
    breaks_at: datetime | None = None
    broken: bool = False
    error: str = ""
    owner: str = ""
    runbook: str = ""
    held: str = ""
    readers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProviderStanding:
    """How a provider answers. `tries`: requests since it went wrong; `breaker`: `closed open half_open`."""

    provider: str
    breaker: str = "closed"
    tries: int = 0
    last_error: str = ""
    next_try: datetime | None = None
    owner: str = ""
    runbook: str = ""


class Situation(Protocol):
    """The installation, as far as messages need it."""

    zone: str
    app: str

    def datasets(self, names: Sequence[str]) -> list[DatasetStanding]: ...

    def provider(self, name: str) -> ProviderStanding: ...
