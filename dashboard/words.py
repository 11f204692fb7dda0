"""Small words of the page: tones, and text from elsewhere made harmless."""

import hashlib
import html
import re
from collections.abc import Mapping
from typing import Literal

Tone = Literal["good", "attention", "bad", "busy", "neutral"]

TONES: dict[str, Tone] = {
    **dict.fromkeys(("succeeded", "collected", "served", "closed", "accepted"), "good"),
    **dict.fromkeys(("degraded", "held", "quarantined", "half_opened", "half_open", "detected"), "attention"),
    **dict.fromkeys(("rejected", "rolled_back"), "attention"),
    **dict.fromkeys(("failed", "crashed", "opened", "open"), "bad"),
    **dict.fromkeys(("running", "queued", "started"), "busy"),
}

# Control characters, and those that turn the direction of writing around for all that follows.
_UNSEEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+")
_MARKDOWN = re.compile(r"[!-/:-@\[-`{-~]")
# Where an address is found, though nothing marks it as one; and what Streamlit makes arrows and dashes of.
_ADDRESS = re.compile(r"(?<=[a-zA-Z]:)(?=/)|(?<=www)(?=\.)|(?<=@)|(?<=[-<])(?=[->])", re.IGNORECASE)
_TICKED = re.compile(r"`([^`\n]+)`")
_JOINER = "\u2060"
"""Has no width and no meaning."""


def tone_of(state: str) -> Tone:
    """How a status, a circuit's state or the last word of an event sounds.

    >>> tone_of("degraded"), tone_of("never ran")
    ('attention', 'neutral')
    """
    return TONES.get(state, "neutral")


def plain(text: str, *, limit: int = 160, lines: bool = False) -> str:
    """Text from elsewhere on one line (or several), without control characters, of bounded length.

    >>> plain("a\\n\\x1b[31mb"), plain("x" * 300, limit=10)
    ('a [31mb', 'xxxxxxxxx… (300 characters)')
    """
    cut = _UNSEEN.sub(" ", text[: limit * 4])
    cut = "\n".join(" ".join(line.split()) for line in cut.splitlines()) if lines else " ".join(cut.split())
    if len(cut) <= limit and len(text) <= limit * 4:
        return cut
    return f"{cut[: limit - 1].rstrip()}… ({len(text):,} characters)"


def prose(text: str, *, limit: int = 160, lines: bool = False) -> str:
    """A sentence of the system's: names and commands, which it has between backticks, between quotes.

    >>> prose("look at it with `show orders`")
    'look at it with “show orders”'
    """
    return _TICKED.sub(r"“\1”", plain(text, limit=limit, lines=lines))


def label(text: str, *, limit: int = 80) -> str:
    """Text from elsewhere as a label or a title of Streamlit, which reads Markdown there: shown as it is.

    Every sign that means something is told to mean itself, and what looks like an address is no link. The options of a
    select box are text already (`plain`); those of radio buttons, pills and segments are read as Markdown.

    >>> label("**b** $x$ [a](b) :red[c]")
    '\\\\*\\\\*b\\\\*\\\\* \\\\$x\\\\$ \\\\[a\\\\]\\\\(b\\\\) \\\\:red\\\\[c\\\\]'
    """
    return _MARKDOWN.sub(r"\\\g<0>", _ADDRESS.sub(_JOINER, plain(text, limit=limit)))


def told_apart(names: Mapping[str, str]) -> dict[str, str]:
    """Labels by their keys, no two the same: a select box is told the label that was chosen, not the key behind it.

    >>> told_apart({"r1": "10:05", "r2": "10:05", "r3": "10:06"})
    {'r1': '10:05', 'r2': '10:05 (2)', 'r3': '10:06'}
    """
    found: dict[str, str] = {}
    used: set[str] = set()
    for key, text in names.items():
        number, shown = 1, text
        while shown in used:
            number += 1
            shown = f"{text} ({number})"
        used.add(shown)
        found[key] = shown
    return found


def in_chart(text: str, *, limit: int = 80) -> str:
    """Text from elsewhere as a label, a title or a hover text of Plotly, which reads a little HTML: shown as it is.

    >>> in_chart("<b>a</b> %{y}")
    '&lt;b&gt;a&lt;/b&gt; %\\u2060{y}'
    """
    return html.escape(plain(text, limit=limit), quote=False).replace("%{", f"%{_JOINER}{{")


def key_of(text: str) -> str:
    """A short name for text from elsewhere, for keys of widgets and containers: they become classes of the style sheet.

    >>> key_of("<b>")
    'ba1de01f359d'
    """
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
