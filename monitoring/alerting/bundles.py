"""Several messages made into one: beginning and end that go out together, and what is too much for a channel."""

from collections import Counter
from collections.abc import Sequence

from monitoring.alerting.incident import SEVERITIES
from monitoring.alerting.message.message import LONGEST_TITLE, Message, Part
from utils.one_line import one_line

__all__ = ["begun_and_over", "summary"]

LISTED = 20
"""Messages that a summary names; of the others it gives the number."""

_BEGAN = "It began"
_SAID = {"opened": "began", "resolved": "over", "notice": "said", "digest": "daily digests"}


def begun_and_over(begun: Message, over: Message) -> Message:
    """The end of something whose beginning nobody was told: one message that tells both."""
    return Message(
        "resolved",
        over.severity,
        over.title,
        (Part(_BEGAN, begun.title), *over.parts),
        over.footer,
        over.incident,
        over.datasets,
    )


def summary(messages: Sequence[Message]) -> Message:
    """All of these in one: what is wrong first, the most urgent of it before others.

    >>> summary([Message("opened", "error", f"p{number} is down", ()) for number in range(3)]).title
    '3 more messages (3 began), the most urgent: p0 is down'
    """
    urgent = sorted(messages, key=lambda one: (one.kind == "resolved", -SEVERITIES.index(one.severity)))
    counts = Counter(_SAID.get(one.kind, "changed") for one in messages)
    counted = ", ".join(f"{count} {said}" for said, count in counts.most_common())
    lines = [f"{one.severity}: {_line(one)}" for one in urgent[:LISTED]]
    if len(urgent) > LISTED:
        lines.append(f"and {len(urgent) - LISTED} more")
    title = f"{len(messages)} more messages ({counted}), the most urgent: {urgent[0].title}"
    why = "More came than this channel is told one by one."
    datasets = tuple(dict.fromkeys(name for one in urgent for name in one.datasets))
    parts = (Part("", why), *(Part("", line) for line in lines), Part("See", "alerts list", "command"))
    return Message("summary", urgent[0].severity, one_line(title, LONGEST_TITLE), parts, datasets=datasets)


def _line(message: Message) -> str:
    """Nobody is told an end alone who was not told its beginning."""
    first = message.parts[0] if message.parts else Part("", "")
    return f"{first.text}; {message.title}" if first.label == _BEGAN else message.title
