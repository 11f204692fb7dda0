"""Whose fault is it that nobody answered: the provider's, or that of our own network?"""

import ipaddress
from collections.abc import Callable
from typing import TypeVar

from data_pipeline.collect.addresses import is_public
from data_pipeline.errors import NetworkAway, ProviderUnavailable
from utils.network import OwnNetwork, resolve
from utils.resilience.retry import is_transient

__all__ = ["NetworkJudge", "is_near", "tells_against_provider"]

T = TypeVar("T")

Resolver = Callable[[str, int, float], list[str]]

NEAR = ("localhost", "local", "internal", "home.arpa")
"""Domains that are never on the internet (RFC 6761, 6762, 8375; `internal` was reserved by ICANN in 2024)."""

PATIENCE = 1.0
"""Seconds for a name to be resolved. Without a network it takes long, and a name that nobody knows is not near."""


def tells_against_provider(error: Exception) -> bool:
    """Whether a failure counts in the provider's breaker: it may pass, and is not that of our own network."""
    return is_transient(error) and not isinstance(error, NetworkAway)


class NetworkJudge:
    """Tells failures of our own network from those of the providers. Thread-safe.

    Args:
        network: Asked when a provider on the internet gave no answer.
        resolver: Gives a host's addresses; raises OSError.
    """

    def __init__(self, network: OwnNetwork, *, resolver: Resolver = resolve) -> None:
        self._network = network
        self._resolve = resolver
        self._near: set[str] = set()

    def around(self, request: Callable[[], T]) -> Callable[[], T]:
        """The request; its failure is a `NetworkAway` when nobody can be reached from here."""
        return request if not self._network.canaries else lambda: self._judged(request)

    def _judged(self, request: Callable[[], T]) -> T:
        try:
            return request()
        except NetworkAway:
            raise
        except ProviderUnavailable as error:
            if not error.unreached or not self._excused(error.unreached):
                raise
            asked = ", ".join(f"{host}:{port}" for host, port in self._network.canaries)
            raise NetworkAway(
                f"{error}; our own network is away: of its canaries ({asked}) none can be reached",
                hint="look after this machine's connection; the provider's circuit does not count this",
                provider=error.provider,
                attempts=error.attempts,
                unreached=error.unreached,
            ) from error

    def _excused(self, host: str) -> bool:
        host = host.lower().rstrip(".")
        # Names are resolved last: it may take long, and while the network is there it says nothing.
        return not self._is_near(host) and self._network.away() and not self._leads_near(host)

    def _is_near(self, host: str) -> bool:
        """Whether the host is known not to be on the internet, without asking anybody."""
        return host in self._near or is_near(host)

    def _leads_near(self, host: str) -> bool:
        try:
            addresses = self._resolve(host, 0, PATIENCE)
        except OSError:
            return False
        if all(map(is_public, addresses)):
            return False
        self._near.add(host)
        return True


def is_near(host: str) -> bool:
    """Whether a host is known not to be on the internet by its name or address, without asking anybody."""
    host = host.lower().rstrip(".")
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "." not in host or host.endswith(tuple(f".{domain}" for domain in NEAR))
    return not is_public(host)
