"""How results reach the terminal."""

import pytest

from cli.output import marked, say, table


def test_a_table_in_a_pipe_is_plain_aligned_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Figures to the right, no trailing blanks, no frame."""
    table(("name", "rows"), [("a", "1"), ("long name", "1,000")], right=("rows",))

    assert capsys.readouterr().out == "name        rows\na              1\nlong name  1,000\n"


def test_a_providers_words_do_not_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Escape sequences in names, cells and sentences are spelled out; lines and accents stay."""
    table(("na\x1b[2Jme",), [("\x1b[31mé",), ("\x9b2J",)])
    say("one\ntwo \x1b]0;title\x07")

    expected = "na\\x1b[2Jme\n\\x1b[31mé\n\\x9b2J\none\ntwo \\x1b]0;title\\x07\n"
    assert capsys.readouterr().out == expected


def test_a_status_is_never_told_by_colour_alone() -> None:
    """Each has a sign of its own."""
    statuses = ["succeeded", "degraded", "failed", "skipped", "never ran"]

    signs = {marked(status).split()[0] for status in statuses}

    assert len(signs) == len(statuses)
