"""What is wrong and since when: the head of a message, from the cause that explains the others."""

from collections.abc import Callable

from monitoring.alerting.message import data_heads, host_heads
from monitoring.alerting.message.headline import Headline, capital, figures_of, said_of
from monitoring.alerting.message.seen import Seen

__all__ = ["headline"]


def headline(seen: Seen) -> Headline:
    """What is wrong, since when."""
    for told in _IN_ORDER:
        if (found := told(seen)) is not None:
            return found
    return _other(seen)


def _other(seen: Seen) -> Headline:
    if not seen.causes:
        about = seen.words(seen.incident.about, 60)
        return Headline("other", f"{capital(about)} in trouble since {seen.moments.said(seen.incident.opened_at)}")
    newest = max(seen.causes, key=lambda one: one.seq)
    return Headline("other", said_of(seen, newest, seen.causes), figures_of(seen, newest))


_IN_ORDER: tuple[Callable[[Seen], Headline | None], ...] = (
    host_heads.network,
    host_heads.clock,
    host_heads.host,
    data_heads.provider,
    data_heads.held,
    data_heads.late,
    data_heads.quarantine,
    data_heads.dataset,
    data_heads.objective,
    host_heads.service,
    data_heads.anomalies,
)
"""What explains the others comes first: a provider that is down explains the promise that breaks."""
