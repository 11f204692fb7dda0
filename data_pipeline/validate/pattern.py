"""Refuse regular expressions that RE2 does not know, when the configuration is read.

RE2 (https://github.com/google/re2/wiki/Syntax) runs in linear time whatever the text, which is why it has no
look-around and no back-references. What this scan lets through is compiled by RE2 itself when the rule first meets
its data.
"""

import re

__all__ = ["check_pattern"]

_REFUSED = (
    ("(?<=", "look-behind"),
    ("(?<!", "look-behind"),
    ("(?=", "look-ahead"),
    ("(?!", "look-ahead"),
    ("(?>", "an atomic group"),
    ("(?#", "a comment"),
    ("(?(", "a condition"),
    ("(?P=", "a back-reference"),
)
_POSSESSIVE = re.compile(r"(?:[*+?]|\{\d+(?:,\d*)?\})\+")
_REPEAT = re.compile(r"\{(\d+)(?:,(\d*))?\}")


def check_pattern(pattern: str) -> None:
    """Return when RE2 may take the pattern.

    Raises:
        ValueError: the construct that RE2 lacks, or what is unbalanced, with its position (from 1).
    """
    opened: list[int] = []
    at, size = 0, len(pattern)
    while at < size:
        sign = pattern[at]
        if sign == "\\":
            at = _escape(pattern, at)
            continue
        if sign == "[":
            at = _class_end(pattern, at)
            continue
        if sign == "(":
            _refuse_group(pattern, at)
            opened.append(at)
        elif sign == ")":
            if not opened:
                raise _fault(pattern, at, "`)` closes nothing")
            opened.pop()
        elif found := _POSSESSIVE.match(pattern, at):
            raise _fault(pattern, found.end() - 1, "a possessive repeat is not known to RE2")
        elif (repeat := _REPEAT.match(pattern, at)) and max(int(n) for n in repeat.groups() if n) > 1000:
            raise _fault(pattern, at, "RE2 repeats at most 1000 times")
        at += 1
    if opened:
        raise _fault(pattern, opened[-1], "`(` is never closed")


def _escape(pattern: str, at: int) -> int:
    """The position after an escape."""
    if at + 1 == len(pattern):
        raise _fault(pattern, at, "nothing follows the backslash")
    sign = pattern[at + 1]
    if sign in "123456789":
        raise _fault(pattern, at, "a back-reference is not known to RE2")
    if sign == "Z":
        raise _fault(pattern, at, r"`\Z` is not known to RE2 (the pattern must match the whole text anyway)")
    if sign in "uU":
        raise _fault(pattern, at, r"`\u` is not known to RE2; write `\x{20AC}` or the character itself")
    if sign == "Q":  # literal text up to \E
        end = pattern.find(r"\E", at + 2)
        return len(pattern) if end < 0 else end + 2
    return at + 2


def _class_end(pattern: str, start: int) -> int:
    """The position after a character class; a `]` that comes first stands for itself."""
    at = start + 1
    if pattern[at : at + 1] == "^":
        at += 1
    if pattern[at : at + 1] == "]":
        at += 1
    while at < len(pattern):
        if pattern[at] == "\\":
            at += 2
        elif pattern.startswith("[:", at) and (end := pattern.find(":]", at)) > 0:
            at = end + 2
        elif pattern[at] == "]":
            return at + 1
        else:
            at += 1
    raise _fault(pattern, start, "`[` is never closed")


def _refuse_group(pattern: str, at: int) -> None:
    for opening, name in _REFUSED:
        if pattern.startswith(opening, at):
            raise _fault(pattern, at, f"{name} is not known to RE2; say it with two rules or `compare`")


def _fault(pattern: str, at: int, what: str) -> ValueError:
    return ValueError(f"`pattern` {pattern!r}, position {at + 1}: {what}")
