"""Placeholders become moments; everything else stays as it was written."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.collect.placeholders import Partition, Values, check, in_path, in_query, named, plain, render

NOW = Values(datetime(2026, 3, 1, 7, 5, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{now}", "2026-03-01T07:05:30Z"),
        ("{run_date}", "2026-03-01"),
        ("{now:%Y%m%d}", "20260301"),
        ("{now:epoch_s}", "1772348730"),
        ("{run_date:epoch_ms}", "1772323200000"),
        ("{ now : %Y }", " 2026 "),
        ("{{now}} {{{run_date:%d}}}", "{now} {01}"),
        ("none", "none"),
    ],
)
def test_the_runs_moment_is_filled_in(template: str, text: str) -> None:
    """With and without a format; doubled braces are braces."""
    assert render(template, NOW) == text


@pytest.mark.parametrize(("encode", "text"), [(plain, "07:05/a"), (in_path, "07:05/a"), (in_query, "07%3A05%2Fa")])
def test_values_are_encoded_for_their_place(encode: object, text: str) -> None:
    """A path keeps its slashes, a query keeps nothing."""
    assert render("{now:%H:%M/a}", NOW, encode=encode) == text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{nwo}", "unknown placeholder"),
        ("{}", "unknown placeholder"),
        ("a{b", "doubled"),
        ("a}b", "doubled"),
    ],
)
def test_what_cannot_be_filled_is_refused(template: str, words: str) -> None:
    """The message names the placeholder and shows the template."""
    with pytest.raises(ValueError, match=words):
        check(template)


@given(st.text())
def test_doubling_the_braces_keeps_any_text(text: str) -> None:
    """What is escaped comes out as it was."""
    assert render(text.replace("{", "{{").replace("}", "}}"), NOW) == text


@pytest.mark.parametrize(
    ("cursor", "template", "text"),
    [
        (None, "[{cursor}]", "[]"),
        (0, "{cursor}", "0"),
        ("", "[{cursor}]", "[]"),
        (datetime(2026, 3, 1, 7, 5, 30, 250_000, tzinfo=UTC), "{cursor}", "2026-03-01T07:05:30.250000Z"),
        (datetime(2026, 3, 1, 7, 5, 30, 250_000, tzinfo=UTC), "{cursor:epoch_ms}", "1772348730250"),
        (date(2026, 3, 1), "{cursor}", "2026-03-01"),
        (date(2026, 3, 1), "{cursor:%d.%m.%Y}", "01.03.2026"),
    ],
)
def test_a_cursor_is_written_without_loss(cursor: object, template: str, text: str) -> None:
    """Zero and the empty text are cursors; fractions of a second stay."""
    assert render(template, Values(NOW.now, cursor)) == text


def test_a_partition_has_a_key_and_two_ends() -> None:
    """All three can be written, each in a format of its own."""
    day = Partition("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
    template = "{partition.key}/{partition.start:%Y}/{partition.end}"
    assert render(template, Values(NOW.now, partition=day)) == "2026-03-01/2026/2026-03-02T00:00:00Z"


def test_a_partition_that_is_not_there_is_named() -> None:
    """Only while it runs is it known whether the dataset has partitions."""
    with pytest.raises(ValueError, match="needs `partition`"):
        render("{partition.key}", NOW)


def test_the_names_of_a_template_are_found() -> None:
    """Doubled braces are no names; formats are left out."""
    assert named("{cursor:epoch_ms} {{now}} {id}") == {"cursor", "id"}
