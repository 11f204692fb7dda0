"""The API as a service; and what it needs besides operations: who may ask how often, answers that are kept."""

from importlib import import_module
from typing import Protocol

from integrated_system import IntegratedSystem
from operations.serving import Service, Serving
from utils.correlation import request_id
from utils.events import uuid7
from utils.idempotency import Answers, Claim, Kept
from utils.logger import get_logger
from utils.resilience.limiter import RateLimiter

__all__ = [
    "Answers",
    "Api",
    "Claim",
    "Kept",
    "answers",
    "get_logger",
    "limiter",
    "new_request_id",
    "request_id",
    "service",
    "serving",
]


def service(
    system: IntegratedSystem, *, host: str | None = None, port: int | None = None, at_once: bool = False
) -> "Api":
    """The API over HTTP, as a service beside others. By name: nothing imports a face.

    Args:
        host, port: Default: as configured.
        at_once: Take the address now.

    Raises:
        UsageError: with `at_once`: it cannot be taken.
    """
    made: Api = import_module("api.serving").ApiService(system, host=host, port=port)
    if at_once:
        made.bind()
    return made


def serving(system: IntegratedSystem, api: "Api") -> Serving:
    """The API alone, for the command `api`."""
    from operations.guarding import guarded

    return guarded(system, [api], program="api")


class Api(Service, Protocol):
    """The service, and where it is."""

    @property
    def url(self) -> str: ...
    def bind(self) -> None: ...


def limiter(system: IntegratedSystem) -> RateLimiter:
    """Keeps each client to the configured rate."""
    asked = system.settings.api.rate_limit
    return RateLimiter("api", rate=asked.rate, burst=asked.burst, clock=system.clock)


def answers(system: IntegratedSystem) -> Answers:
    """Answers by `Idempotency-Key`, kept for a day."""
    return Answers(system.database, clock=system.clock)


def new_request_id(system: IntegratedSystem) -> str:
    """For a request that brings none."""
    return uuid7(system.clock.time())
