"""What a person is told: composed from an incident and the situation, set in plain text, Markdown and HTML."""

from monitoring.alerting.message.compose import KINDS, compose
from monitoring.alerting.message.message import Format, Kind, Message, Part

__all__ = ["KINDS", "Format", "Kind", "Message", "Part", "compose"]
