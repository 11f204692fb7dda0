"""How rows are written: as asked, else as the file's name says."""

from pathlib import Path
from typing import Any

import pytest

from cli.command import UsageError
from cli.rows import wanted


@pytest.mark.parametrize(
    ("format", "output", "json", "expected"),
    [
        (None, None, False, "table"),
        (None, None, True, "json"),
        ("table", None, True, "json"),
        ("csv", None, True, "csv"),
        (None, "x.parquet", False, "parquet"),
        (None, "x.CSV", True, "csv"),
        ("json", "x.csv", False, "json"),
    ],
    ids=["a screen", "a program", "a table for a program", "as asked", "by the suffix", "capitals", "asked wins"],
)
def test_the_format_is_told_by_whoever_says_most(format: Any, output: str | None, json: bool, expected: str) -> None:
    """The option first, then the file's name, then `--json`."""
    assert wanted(format, Path(output) if output else None, json=json) == expected


@pytest.mark.parametrize(("format", "output"), [(None, "rows.txt"), ("table", "rows.csv")], ids=["no idea", "a table"])
def test_a_file_without_a_format_is_refused(format: Any, output: str) -> None:
    """It used to print a table, exit 0 and write nothing."""
    with pytest.raises(UsageError, match="in which format") as caught:
        wanted(format, Path(output), json=False)

    assert "--format csv" in caught.value.hint
