"""A message to a person: one title that stands alone, a few lines, and the same in plain text, Markdown and HTML."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

from monitoring.alerting.incident import Severity
from monitoring.alerting.message import formats

__all__ = ["LONGEST_TITLE", "Format", "Kind", "Message", "Part", "Style"]

Kind = Literal[
    "opened", "changed", "flapping", "escalated", "reminded", "resolved", "summary", "digest", "test", "notice"
]
"""Why it is sent. `notice`: what a program said through `AlertManager.send`."""

Format = Literal["text", "markdown", "html"]
Style = Literal["text", "command", "link"]

LONGEST_TITLE = 120
"""Signs that a lock screen shows."""


class Part(NamedTuple):
    """A paragraph. `label`: what it is about, "" for the opening one; `style`: how it is set."""

    label: str
    text: str
    style: Style = "text"


@dataclass(frozen=True, slots=True)
class Message:
    """One message about one incident, or about several; secrets are masked in it by now.

    Attributes:
        incident: The id of the incident; "" when it is about none, or about several.
        title: One line that says what is wrong and whether to get up.
        parts: The first opens it; then what was done, what to do, whom to ask.
        footer: The id, the severity, and the zone of all times in it.
        datasets: Those concerned.
    """

    kind: Kind
    severity: Severity
    title: str
    parts: tuple[Part, ...]
    footer: str = ""
    incident: str = ""
    datasets: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The body as plain text."""
        return formats.text(self.parts, self.footer)

    def body(self, format: Format) -> str:
        """The body in a format; names and words from outside can command nothing in it.

        `markdown` is CommonMark: who sends it to Slack translates it to Slack's own (Apprise does).
        """
        return _FORMATS[format](self.parts, self.footer)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "parts": [part._asdict() for part in self.parts], "datasets": list(self.datasets)}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Message":
        """What `to_json` wrote; fields of a later release are passed over."""
        known = {name: found[name] for name in cls.__slots__ if name in found}
        parts = tuple(Part(one["label"], one["text"], one["style"]) for one in found["parts"])
        return cls(**{**known, "parts": parts, "datasets": tuple(found.get("datasets", ()))})


_FORMATS: Mapping[Format, formats.Formatted] = {
    "text": formats.text,
    "markdown": formats.markdown,
    "html": formats.html,
}
