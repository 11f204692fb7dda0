"""Placeholders become moments; everything else stays as it was written."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.collect.placeholders import check, in_path, in_query, plain, render

NOW = datetime(2026, 3, 1, 7, 5, 30, tzinfo=UTC)


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
        ("{cursor:epoch_ms}", "not supported yet"),
        ("{partition.start}", "not supported yet"),
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
