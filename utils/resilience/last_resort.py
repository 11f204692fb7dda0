"""One call through an open circuit, for a caller who has nobody else to ask."""

import weakref

from utils.resilience.shared_state import Verdict


class LastResort:
    """The right to make that call. It takes no permit of a trial."""

    __slots__ = ("__weakref__", "opening", "since")

    def __init__(self, opening: Verdict, since: float) -> None:
        self.opening, self.since = opening, since


class LastResorts:
    """Lets one out at a time, so that ten datasets without a provider do not ask a dead one ten times at once.

    Args:
        patience: Seconds after which a call that did not come back keeps nobody out any more.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._out: weakref.ref[LastResort] | None = None

    def take(self, verdict: Verdict, now: float) -> LastResort | None:
        """A ticket; `None` while another one is out, or when a person keeps the circuit open."""
        other = None if self._out is None else self._out()
        if verdict.held or (other is not None and now - other.since < self._patience):
            return None
        ticket = LastResort(verdict, now)
        self._out = weakref.ref(ticket)  # a ticket that nobody holds any more is back
        return ticket

    def back(self, ticket: LastResort) -> None:
        """Its call came back."""
        if self._out is not None and self._out() is ticket:
            self._out = None
