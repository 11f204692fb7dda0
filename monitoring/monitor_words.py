"""What a monitor hears, in the words of an alert: how grave, what kind, what to say."""

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from monitoring.alerting.alert import AlertType
from monitoring.service_event import ServiceEvent

if TYPE_CHECKING:
    from monitoring.health_changes import HealthChange
    from utils.resilience.exchange import Transition

__all__ = ["Finding", "Notice", "of_anomaly", "of_breaker", "of_health", "of_host", "of_service"]


class Notice(NamedTuple):
    """An alert to send: the arguments of `AlertManager.send`."""

    level: str
    type: str
    title: str
    message: str = ""


class Finding(Protocol):
    """Something strange that a detector found."""

    @property
    def metric(self) -> str: ...

    @property
    def severity(self) -> str: ...

    @property
    def reason(self) -> str: ...


def of_service(event: ServiceEvent) -> Notice | None:
    """A thread, a loop, a lock or a supervised process."""
    title = f"{event.service}: {event.reason}"
    if event.what == "recovered":
        return Notice("info", "service.recovered", title)
    if event.what != "unavailable":
        return None
    stacks = "\n\n".join("\n".join((stack.thread, *stack.frames)) for stack in event.stacks)
    kind = AlertType.SERVER_SLOW if event.why == "slow_start" else AlertType.SERVER_DOWN
    if event.why == "permission":
        kind = AlertType.PERMISSION_ERROR
    return Notice(
        "critical",
        kind if event.attempt is not None else "service.unavailable",
        title,
        stacks or "\n".join(event.output),
    )


def of_host(notice: Any) -> Notice | None:
    """The host is overloaded, or it no longer is; that it is looked at more closely is no alert."""
    from monitoring.progressive import Overloaded, Relieved

    if isinstance(notice, Overloaded):
        return Notice("critical", AlertType.RESOURCE_CRITICAL, f"Host: {notice.words()}")
    if isinstance(notice, Relieved):
        return Notice("info", AlertType.RESOURCE_CRITICAL, f"Host: {notice.words()}")
    return None


def of_health(change: "HealthChange") -> Notice:
    """A health check fails, is slow, or is well again."""
    reason = change.data.get("reason") or change.what
    took = change.data.get("response_s")
    words = {
        "unavailable": f"{change.name} is unavailable: {reason}",
        "slow": f"{change.name} is slow: it answered after {took} s",
        "recovered": f"{change.name} is well again",
    }
    levels = {"unavailable": "error", "slow": "warning", "recovered": "info"}
    return Notice(levels[change.what], f"service.{change.what}", words[change.what])


def of_breaker(moved: "Transition") -> Notice | None:
    """A circuit opened or closed."""
    if moved.after == "open":
        return Notice("warning", "breaker.opened", f"Circuit {moved.name} is open: {moved.reason}")
    if moved.after == "closed":
        return Notice("info", "breaker.closed", f"Circuit {moved.name} is closed again")
    return None


def of_anomaly(found: Finding) -> Notice:
    """A detector found a figure strange."""
    level = found.severity if found.severity in {"warning", "error", "critical"} else "warning"
    return Notice(level, "anomaly.detected", f"{found.metric} is strange", found.reason)
