"""Text from elsewhere is shown as it is, wherever it is shown."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.panels import as_csv
from dashboard.words import in_chart, key_of, label, plain, told_apart
from tests.dashboard.configuration import HARM


@settings(max_examples=50)
@given(st.text(max_size=400), st.integers(5, 80))
def test_text_from_elsewhere_is_bounded_and_harmless(text: str, limit: int) -> None:
    """No control or direction character is left, and its length has an end."""
    shown = plain(text, limit=limit)

    assert len(shown) <= limit + 25
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or 0x202A <= ord(c) <= 0x202E for c in shown)


@settings(max_examples=50)
@given(st.text(alphabet="ab*_[]()<>$:~`#|\\!&@./ ", max_size=60))
def test_a_label_has_no_sign_that_means_something(text: str) -> None:
    """Each one says of itself that it is meant as it stands; taken away, the text is what it was."""
    shown = label(text)

    assert not re.search(r"(?<!\\)(?:\\\\)*[*_\[\]()<>$:~`#|!&]", shown)
    assert re.sub(r"\\(.)", r"\1", shown).replace("\u2060", "") == plain(text, limit=80)


@pytest.mark.parametrize("text", ["https://a.example/x", "www.a.example", "ann@a.example"])
def test_an_address_in_a_label_is_no_link(text: str) -> None:
    """Nobody is sent elsewhere by a name."""
    shown = re.sub(r"\\(.)", r"\1", label(text))

    assert not re.search(r"https?://|www\.|\w@\w", shown)


def test_what_a_chart_is_given_has_no_tags_and_no_places_to_fill_in() -> None:
    """Plotly reads a little HTML, and `%{…}`."""
    shown = in_chart(f"{HARM} %{{customdata}} &lt;")

    assert not re.search(r"[<>]|%\{", shown)


def test_a_key_says_nothing_of_what_it_stands_for() -> None:
    """Keys become classes of the style sheet."""
    assert re.fullmatch(r"[0-9a-f]{12}", key_of(HARM))
    assert key_of("a") != key_of("b")
    assert key_of("\ud800") == key_of("\ud800")


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("@x", "'@x"),
        (-5.5, "-5.5"),
        (float("nan"), '""'),
        (None, '""'),
        ('a "quoted", b', '"a ""quoted"", b"'),
        ("two\nlines", '"two\nlines"'),
        ("ação", "ação"),
    ],
    ids=["formula", "at sign", "negative number", "nan", "none", "quotes", "lines", "letters"],
)
def test_a_table_is_downloaded_as_csv_that_no_spreadsheet_executes(value: object, cell: str) -> None:
    """Numbers stay numbers; nothing is nothing."""
    assert as_csv([{"name": value}, {"name": 1}]).decode() == f"name\r\n{cell}\r\n1\r\n"


def test_an_empty_table_is_an_empty_file() -> None:
    """There are no names of columns either."""
    assert as_csv([]) == b""


@settings(max_examples=50)
@given(st.dictionaries(st.integers(0, 9).map(str), st.sampled_from(["a", "a (2)", "a (3)", "b"])))
def test_no_two_things_to_choose_from_have_the_same_label(names: dict[str, str]) -> None:
    """In their order, and each begins with what it is called."""
    shown = told_apart(names)

    assert list(shown) == list(names)
    assert len(set(shown.values())) == len(names)
    assert all(shown[key].startswith(text) for key, text in names.items())
