"""What a backfill does about a piece that did not come: pure decisions."""

from dataclasses import dataclass

from data_pipeline.errors import NetworkAway, PipelineError, ProviderUnavailable, RequestRefused

__all__ = ["MOST_TRIES", "Later", "most_at_once", "wait_for"]

MOST_TRIES = 3
"""How often a piece may fail with its provider before it counts as failed itself."""

NETWORK_S = 30.0
"""Seconds until our own network is looked for again."""

LEAST_S, MOST_S = 1.0, 3600.0
"""Bounds of a pause; whoever pauses longer looks once an hour."""

CIRCUIT_S = 300.0
"""The longest pause for an open circuit: somebody may close it, and to be refused once more costs nothing."""


@dataclass(frozen=True, slots=True)
class Later:
    """The piece is asked for again, behind the others.

    Attributes:
        seconds: For so long nothing at all is asked: the provider, not the piece, is in trouble. 0.0: no pause.
        tried: Whether the provider was asked and failed; what our own protection refused costs the piece nothing.
    """

    seconds: float
    reason: str
    tried: bool = False


def wait_for(error: PipelineError, *, open_for: float | None, tries: int) -> Later | None:
    """Whether to ask again later; None: the piece has failed.

    An open circuit, a quota that is used up or a limit without room says nothing of the piece. Nor does a failure that
    may pass: it may be the first of an outage. But not without end, for some pieces fail whenever they are asked for.

    Args:
        open_for: Seconds until the provider's circuit lets a try through; None: it is closed.
        tries: How often the provider failed with this piece before.
    """
    if isinstance(error, RequestRefused) and error.refused_by != "deadline":
        seconds = _bounded(max(error.retry_after, open_for or 0.0))
        return Later(min(seconds, CIRCUIT_S) if error.refused_by == "circuit" else seconds, str(error))
    if isinstance(error, NetworkAway):
        return Later(NETWORK_S, str(error))
    if not error.transient or tries + 1 >= MOST_TRIES:
        return None
    if open_for is not None:
        return Later(min(_bounded(open_for), CIRCUIT_S), str(error), tried=True)
    asked = error.retry_after if isinstance(error, ProviderUnavailable) else None
    return Later(_bounded(asked) if asked else 0.0, str(error), tried=True)


def most_at_once(concurrency: int | None) -> int:
    """How many pieces are collected at once unless somebody says otherwise.

    Args:
        concurrency: Requests that the provider may have at once; None: as many as there are. Half of them are left to
            the runs that are due meanwhile.
    """
    return 4 if concurrency is None else max(1, min(4, concurrency // 2))


def _bounded(seconds: float) -> float:
    return min(max(seconds, LEAST_S), MOST_S)
