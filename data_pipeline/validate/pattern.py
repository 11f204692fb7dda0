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
_GROUP = re.compile(r"\((?:\?(?:P?<\w+>|[imsU-]*:?))?", re.ASCII)
_REPEAT = re.compile(r"(?:[*+?]|\{(\d+)(?:,(\d*))?\})\??", re.ASCII)
_CODE_POINT = re.compile(r"\\x\{[0-9a-fA-F]+\}")


def check_pattern(pattern: str) -> None:
    """Return when RE2 may take the pattern.

    Raises:
        ValueError: the construct that RE2 lacks, or what is unbalanced, with its position (from 1).
    """
    opened: list[int] = []
    at, size = 0, len(pattern)
    something, repeated = False, False  # whether there is something to repeat at this place, and was repeated just now
    while at < size:
        sign = pattern[at]
        repeat = _REPEAT.match(pattern, at)
        if repeat:
            _refuse_repeat(pattern, repeat, something=something, repeated=repeated)
            at = repeat.end()
        elif sign == "\\":
            at = _escape(pattern, at)
        elif sign == "[":
            at = _class_end(pattern, at)
        elif found := _GROUP.match(pattern, at):
            _refuse_group(pattern, at)
            opened.append(at)
            at = found.end()
        else:
            if sign == ")" and not opened:
                raise _fault(pattern, at, "`)` closes nothing")
            if sign == ")":
                opened.pop()
            at += 1
        something, repeated = sign not in "(|", repeat is not None
    if opened:
        raise _fault(pattern, opened[-1], "`(` is never closed")


def _refuse_repeat(pattern: str, repeat: re.Match[str], *, something: bool, repeated: bool) -> None:
    at, least, most = repeat.start(), repeat[1], repeat[2]
    if repeated and repeat[0].startswith("+"):
        raise _fault(pattern, at, "a possessive repeat is not known to RE2")
    if repeated:
        raise _fault(pattern, at, f"`{repeat[0]}` repeats a repeat; put what it repeats in brackets")
    if not something:
        raise _fault(pattern, at, f"`{repeat[0]}` has nothing to repeat; any text is `.*`")
    if max(int(number) for number in (least or 0, most or 0)) > 1000:
        raise _fault(pattern, at, "RE2 repeats at most 1000 times")
    if least and most and int(most) < int(least):
        raise _fault(pattern, at, f"`{repeat[0]}` is at least {least} and at most {most} times")


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
        if end < 0:
            raise _fault(pattern, at, r"`\Q` is never closed by `\E`")
        return end + 2
    code_point = _CODE_POINT.match(pattern, at)
    return code_point.end() if code_point else at + 2


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
        elif pattern.startswith("[:", at) and (end := pattern.find(":]", at + 2)) > 0:
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
