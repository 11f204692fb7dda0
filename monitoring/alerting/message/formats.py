"""The parts of a message as plain text, Markdown and HTML. What comes from outside is escaped for each."""

import re
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitoring.alerting.message.message import Part

__all__ = ["Formatted", "html", "markdown", "plain_markdown", "text"]

Formatted = Callable[[Sequence["Part"], str], str]

# Only what could set something: an underscore within a word (`fx_daily`) does not, and not every service that takes
# Markdown drops the stroke before it.
_MARKDOWN = re.compile(r"([\\`*\[\]<>|~]|(?<![^\W_])_|_(?![^\W_]))")
_AT_START = re.compile(r"^(?:([-+=#])|(\d+)([.)])(?=\s|$))")
_CALLS = re.compile(r"@(?=everyone\b|here\b|channel\b)", re.IGNORECASE)
"""Names that call everybody in a chat, which words of a provider must not."""

_WEB = re.compile(r"https?://[^\s<>\"'()\[\]\\]+", re.IGNORECASE)


def text(parts: Sequence["Part"], footer: str) -> str:
    """A paragraph to open, then one line a part."""
    opening = [part.text for part in parts if not part.label]
    lines = [f"{part.label}: {part.text}" for part in parts if part.label]
    blocks = ["\n".join(opening), "\n".join(lines), footer]
    return "\n\n".join(block for block in blocks if block)


def markdown(parts: Sequence["Part"], footer: str) -> str:
    """CommonMark. A command stands between backticks, as it is to be pasted.

    >>> from monitoring.alerting.message.message import Part
    >>> markdown([Part("", "a_b down"), Part("Do", "why i1", "command")], "i1")
    'a_b down\\n\\n**Do:** `why i1`\\n\\ni1'
    """
    blocks = []
    for part in parts:
        said = _code(part.text) if part.style == "command" else plain_markdown(part.text)
        blocks.append(f"**{plain_markdown(part.label)}:** {said}" if part.label else said)
    if footer:
        blocks.append(plain_markdown(footer))
    return "\n\n".join(blocks)


def html(parts: Sequence["Part"], footer: str) -> str:
    """Paragraphs for a mail; only addresses of the web become links.

    >>> from monitoring.alerting.message.message import Part
    >>> html([Part("", "<b> down")], "")
    '<p>&lt;b&gt; down</p>'
    """
    blocks = []
    for part in parts:
        said = escape(part.text)
        if part.style == "command":
            said = f"<code>{said}</code>"
        elif part.style == "link" and _WEB.fullmatch(part.text):
            said = f'<a href="{said}">{said}</a>'
        blocks.append(f"<p><b>{escape(part.label)}:</b> {said}</p>" if part.label else f"<p>{said}</p>")
    if footer:
        blocks.append(f"<p><small>{escape(footer)}</small></p>")
    return "\n".join(blocks)


def plain_markdown(said: str) -> str:
    """Words that stay words. Addresses of the web are left as they are, so that they can be followed."""
    pieces, end = [], 0
    for found in _WEB.finditer(said):
        pieces += [_MARKDOWN.sub(r"\\\1", said[end : found.start()]), found.group()]
        end = found.end()
    escaped = _CALLS.sub("@\u200b", "".join([*pieces, _MARKDOWN.sub(r"\\\1", said[end:])]))
    # A list, a heading or a line under one begins like this.
    return _AT_START.sub(lambda sign: f"\\{sign[1]}" if sign[1] else f"{sign[2]}\\{sign[3]}", escaped)


def _code(said: str) -> str:
    """Between so many backticks that none inside ends it."""
    longest = max((len(run) for run in re.findall("`+", said)), default=0)
    fence = "`" * (longest + 1)
    space = " " if said.startswith("`") or said.endswith("`") else ""
    return f"{fence}{space}{said}{space}{fence}"
