"""The words and signs of an expression, each with its place."""

import re
from dataclasses import dataclass

__all__ = ["ExpressionError", "Token", "tokens"]

MOST = 300
"""Words and signs of one expression; bounds every recursion over its tree."""

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<date>\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}:\d{2})?)?)(?![\w.])
      | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?)(?![\w.])
      | '(?P<text>(?:[^']|'')*)'
      | `(?P<quoted>[^`]+)`
      | (?P<word>[^\W\d][\w.]*)
      | (?P<sign><=|>=|==|!=|<>|[<>=+\-*/(),])""",
    re.VERBOSE,
)


class ExpressionError(ValueError):
    """An expression that cannot be; `position` counts characters from 1."""

    def __init__(self, text: str, position: int, what: str) -> None:
        shown = text if len(text) <= 200 else f"{text[:199]}…"
        super().__init__(f"{what}, at position {position} of `{shown}`")
        self.position = position


@dataclass(frozen=True, slots=True)
class Token:
    """A word or sign. `kind`: date, number, text, quoted, word, sign or end; `position` counts characters from 1."""

    kind: str
    text: str
    position: int

    def shown(self) -> str:
        return "the end" if self.kind == "end" else f"`{self.text}`"


def tokens(text: str) -> list[Token]:
    """All of them, and the end.

    Raises:
        ExpressionError: a sign means nothing, a text is never closed, or there are too many.
    """
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            what = "the text is never closed" if text[at] == "'" else f"`{text[at]}` means nothing here"
            raise ExpressionError(text, at + 1, what)
        if match.lastgroup != "space":
            found.append(Token(match.lastgroup, match[match.lastgroup], at + 1))
        if len(found) > MOST:
            raise ExpressionError(text, at + 1, f"an expression has at most {MOST} words and signs")
        at = match.end()
    found.append(Token("end", "", len(text) + 1))
    return found
