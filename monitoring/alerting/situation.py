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
        status: As `status` says it: `failed degraded never ran succeeded`, and why (`reason`).
        origin: What readers are served: `provider cache last_good snapshot none`.
        data_time: Of the data served; `collected_at`: of our copy.
        next_try: When the provider is asked next; None: not by itself.
        breaks_at: When its promise breaks unless something newer comes; when it is `broken`, when it broke. None:
            nothing is promised, or nobody knows.
        promised: Something is promised of it.
        broken: Its promise is broken by now; `at_risk`: it breaks before anything mends it.
        error: The words of the last error, and its type (`error_type`).
        held: What stands against the batch that waits for a decision; "": none waits.
        same: How many times in a row the provider sent the same content, when more than once; `same_since`: from when.
        blocked: Why it cannot run: a dataset that it is made of.
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
    promised: bool = False
    broken: bool = False
    at_risk: bool = False
    reason: str = ""
    error: str = ""
    error_type: str = ""
    hint: str = ""
    owner: str = ""
    runbook: str = ""
    held: str = ""
    same: int = 0
    same_since: datetime | None = None
    blocked: str = ""
    readers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProviderStanding:
    """How a provider answers. `tries`: requests since it went wrong; `breaker`: `closed open half_open`.

    `held`: somebody opened its circuit by hand. `error_type`: the class of the last error; `hint`: what it advises.
    """

    provider: str
    breaker: str = "closed"
    tries: int = 0
    last_error: str = ""
    error_type: str = ""
    hint: str = ""
    next_try: datetime | None = None
    held: bool = False
    owner: str = ""
    runbook: str = ""


class Situation(Protocol):
    """The installation, as far as messages need it.

    Attributes:
        zone: The zone of all times in messages.
        app: The installation's name.
    """

    @property
    def zone(self) -> str: ...

    @property
    def app(self) -> str: ...

    def datasets(self, names: Sequence[str]) -> list[DatasetStanding]:
        """How these stand, in this order; those that are not declared any more are left out."""

    def concerned(self, incidents: Sequence[str]) -> list[str]:
        """The datasets that these incidents are about, each once."""

    def provider(self, name: str, since: datetime) -> ProviderStanding:
        """How it answers, and what came of asking it `since` then."""

    def command(self, arguments: str) -> str:
        """A command of this program as it is to be pasted, such as of `why fx_daily`."""

    def link(self, incident: str) -> str:
        """The page of an incident; "": there is none."""

    def redacted(self, text: str) -> str:
        """The text without secrets."""
