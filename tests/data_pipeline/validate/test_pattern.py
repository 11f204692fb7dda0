"""Regular expressions that RE2 does not know are refused at configuration time."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data_pipeline.validate.pattern import check_pattern
from utils.arrow import compute, pa


@pytest.mark.parametrize(
    ("pattern", "position", "says"),
    [
        ("a(?=b)", 2, "look-ahead"),
        ("(?!x)", 1, "look-ahead"),
        ("(?<=x)a", 1, "look-behind"),
        ("(?<!x)a", 1, "look-behind"),
        (r"(a)\1", 4, "back-reference"),
        ("(?P<n>a)(?P=n)", 9, "back-reference"),
        ("(?>a)", 1, "atomic group"),
        ("a++", 3, "possessive"),
        (r"a\Z", 2, r"`\Z`"),
        (r"\u20ac", 1, r"`\x{20AC}`"),
        ("a{2000}", 2, "at most 1000"),
        ("*.csv", 1, "nothing to repeat"),
        ("(?:a|+)", 6, "nothing to repeat"),
        ("a**", 3, "repeats a repeat"),
        ("a{3,1}", 2, "at least 3 and at most 1"),
        (r"a\Q.", 2, r"by `\E`"),
        ("(a", 1, "never closed"),
        ("a)", 2, "closes nothing"),
        ("[a", 1, "never closed"),
        ("a\\", 2, "nothing follows"),
    ],
)
def test_what_re2_lacks_is_named_with_its_position(pattern, position, says):
    """The message tells the construct and where it stands, from 1."""
    with pytest.raises(ValueError, match=f"position {position}: ") as caught:
        check_pattern(pattern)

    assert says in str(caught.value)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        r"[a-z0-9._%+-]+@[a-z.]+",
        r"(?i)abc",
        r"(?P<year>\d{4})-\d{2}",
        r"(?<year>\d{4})",
        r"[]a]",
        r"[^]a]",
        r"[[:alpha:]]+",
        r"\(?\d+\)",
        r"[(?=]",
        r"\Q(?=\E",
        r"a{1,1000}",
        r"\pL+\z",
        r"(?:a|b)*?",
        r"it\x{2019}s",
        r"(?i:a)(?i)b",
        r"a{2}?|^*",
    ],
)
def test_what_re2_knows_passes(pattern):
    """Signs inside a class or after a backslash are no constructs."""
    check_pattern(pattern)


@given(st.text(alphabet="ab*+?{}12,()|[]^-:", max_size=8))
@example(r"\x{1234}")
@example("(?i)a")
@example("[[:]")
def test_nothing_is_refused_that_re2_takes(pattern):
    """By itself, and as the rule asks it: the whole text must match. RE2 may refuse more."""
    try:
        check_pattern(pattern)
    except ValueError:
        assert not (_taken(pattern) and _taken(rf"\A(?:{pattern})\z"))


def _taken(pattern: str) -> bool:
    try:
        compute.match_substring_regex(pa.array([""]), pattern=pattern)
    except pa.ArrowInvalid:
        return False
    return True
