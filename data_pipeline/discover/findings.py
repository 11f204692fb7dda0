"""What sniffing found: settings with the reason for each, so that a person can check the guess."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """One key of the configuration with its value. `why` becomes the comment beside it.

    `sure`: written as it is; otherwise as a comment, for a person to decide.
    """

    key: str
    value: Any
    why: str = ""
    sure: bool = True


@dataclass(slots=True)
class Layout:
    """How a payload is laid out: keys of `parse`, of `collect`, and whatever should be said.

    Attributes:
        columns: Column name -> where it comes from (`from`), for columns that are not there by themselves.
    """

    parse: list[Finding] = field(default_factory=list)
    collect: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    data_time: Finding | None = None
    columns: dict[str, str] = field(default_factory=dict)

    def options(self) -> dict[str, Any]:
        """The keys of `parse` that are sure."""
        return {found.key: found.value for found in self.parse if found.sure}
