"""How results reach the terminal."""

import pytest

from cli.output import marked, table


def test_a_table_in_a_pipe_is_plain_aligned_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Figures to the right, no trailing blanks, no frame."""
    table(("name", "rows"), [("a", "1"), ("long name", "1,000")], right=("rows",))

    assert capsys.readouterr().out == "name        rows\na              1\nlong name  1,000\n"


def test_a_status_is_never_told_by_colour_alone() -> None:
    """Each has a sign of its own."""
    statuses = ["succeeded", "degraded", "failed", "skipped", "never ran"]

    signs = {marked(status).split()[0] for status in statuses}

    assert len(signs) == len(statuses)
