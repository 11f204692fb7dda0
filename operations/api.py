"""What the API needs of the installation besides operations: who may ask how often, and answers that are kept."""

from integrated_system import IntegratedSystem
from utils.correlation import request_id
from utils.events import uuid7
from utils.idempotency import Answers, Claim, Kept
from utils.logger import get_logger
from utils.resilience.limiter import RateLimiter

__all__ = ["Answers", "Claim", "Kept", "answers", "get_logger", "limiter", "new_request_id", "request_id"]


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
