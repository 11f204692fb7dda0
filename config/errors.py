"""What is wrong with a configuration: every problem with its place and its fix, told all at once."""

from collections.abc import Sequence
from dataclasses import dataclass

KeyPath = tuple[str | int, ...]
"""Keys from the top; a list's item is its `name` if it has one, else its position."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: where it stands, what is wrong, what to do.

    Attributes:
        file: The file, or `variable NAME`; empty when the value came from neither.
        line: Counted from 1, if known.
        key: Such as `datasets.fx_daily.collect.url`; empty when the whole file is meant.
    """

    file: str
    line: int | None
    key: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        text = ": ".join(part for part in (place, self.key, self.message) if part)
        mark = "" if text.endswith(("?", ".")) else "."
        return f"{text}{mark} {self.hint}" if self.hint else text


class ConfigError(Exception):
    """The configuration cannot be used. `str()` gives one line a problem; trying again changes nothing.

    `missing`: what was asked for by name is not declared.
    """

    transient = False

    def __init__(self, problems: Sequence[Problem], *, hint: str = "", missing: bool = False) -> None:
        super().__init__(*problems)
        self.missing = missing
        self.problems = list(problems)
        self._hint = hint

    @property
    def hint(self) -> str:
        """What to do next, in one sentence."""
        if self._hint:
            return self._hint
        if len(self.problems) == 1 and self.problems[0].hint:
            return self.problems[0].hint
        return "Correct the configuration; `config check` tells whether anything is left."

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class Fault(ValueError):
    """Raised by a validator: what is wrong with this value, and the fix."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Faults(ValueError):
    """Raised by a validator of a block that another model (or parser) judged: several faults, each with its place."""

    def __init__(self, found: Sequence[tuple[KeyPath, ValueError, type | None]]) -> None:
        super().__init__("; ".join(str(error) for _, error, _ in found))
        self.found = list(found)
        """Where below the block, the error (perhaps a pydantic one), and the model that raised it."""


def key_text(path: KeyPath) -> str:
    """The path as people write it.

    >>> key_text(("datasets", "fx_daily", "rules", 2, "range"))
    'datasets.fx_daily.rules[2].range'
    >>> key_text(("providers", "api.example.org:443", "auth"))
    'providers["api.example.org:443"].auth'
    """
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part and part.replace("_", "").replace("-", "").isalnum():
            text += f".{part}" if text else part
        else:
            text += f'["{part}"]'
    return text


def shown(value: object) -> str:
    """A value in a message: short, and recognisable by whoever wrote it.

    >>> shown("15 minutes"), shown(True), shown([1]), shown(None)
    ('`15 minutes`', '`true`', 'a list', 'nothing (null)')
    """
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, int) and value.bit_length() > 200:
        return "a very large number"  # str() refuses integers of more than 4,300 digits
    text = " ".join(str(value).split())
    return f"`{text[:57]}...`" if len(text) > 60 else f"`{text}`"
