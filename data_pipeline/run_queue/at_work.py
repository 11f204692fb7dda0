"""Whether somebody works off the run queue: each who does holds a lease while it lives."""

from utils.leases import Lease, Leases

__all__ = ["at_work", "sign_on"]

MOST = 16
"""Processes of a state directory that are known to work; one more works all the same."""

_NAMES = tuple(f"worker:{number}" for number in range(MOST))


def sign_on(leases: Leases) -> Lease | None:
    """Say that this process works off the queue; None: so many do already that nobody asks for one more."""
    for name in _NAMES:
        if found := leases.acquire([name]).get(name):
            return found
    return None


def at_work(leases: Leases) -> bool:
    """Whether anybody does, in any process that lives."""
    return any(not leases.is_free(name) for name in _NAMES)
