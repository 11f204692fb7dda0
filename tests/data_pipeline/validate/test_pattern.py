"""Regular expressions that RE2 does not know are refused at configuration time."""

import pytest

from data_pipeline.validate.pattern import check_pattern


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
    ],
)
def test_what_re2_knows_passes(pattern):
    """Signs inside a class or after a backslash are no constructs."""
    check_pattern(pattern)
