"""One alert as it is kept in a file and in memory: of an incident, or what a program said."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from monitoring.alerting.incident import Severity

__all__ = ["Alert", "AlertType"]


class AlertType(StrEnum):
    """What programs tell of. An alert of an incident has the name of its most urgent rule in this place."""

    PERMISSION_ERROR = "permission_error"
    SERVER_DOWN = "server_down"
    SERVER_SLOW = "server_slow"
    RESOURCE_CRITICAL = "resource_critical"
    TEST_TIMEOUT = "test_timeout"
    TEST_FAILED = "test_failed"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Alert:
    """What somebody is told.

    Attributes:
        id: The same for the same alert, however often it is written.
        time: RFC 3339 UTC.
        type: A rule's name, or one of `AlertType`.
        source: Who said it: a part of a program; `incidents`.
        kind: `notice`, or what is told of the incident: `opened`, `resolved`, ….
        incident: Its id, "" without one.
    """

    id: str
    time: str
    level: Severity
    type: str
    title: str
    message: str = ""
    source: str = ""
    kind: str = "notice"
    incident: str = ""
    datasets: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
