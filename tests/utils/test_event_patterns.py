"""Patterns of event types, held against their definition."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.counts import few
from utils.event_patterns import matches

words = st.sampled_from(["a", "b", "ab"])
kinds = st.lists(words, min_size=1, max_size=4)


@settings(max_examples=few(100))
@given(kind=kinds, starred=st.lists(st.booleans(), min_size=4, max_size=4), cut=st.integers(0, 4))
def test_starring_segments_of_a_type_still_matches_it(kind, starred, cut):
    """Any segment may become `*`, and any non-empty tail `**`."""
    pattern = ["*" if star else word for word, star in zip(kind, starred, strict=False)]
    if cut < len(kind):
        assert matches(".".join([*pattern[:cut], "**"]), ".".join(kind))
    assert matches(".".join(pattern), ".".join(kind))
    assert not matches(".".join([*pattern, "**"]), ".".join(kind))


@settings(max_examples=few(100))
@given(
    pattern=st.lists(st.one_of(words, st.just("*")), max_size=4), deep=st.booleans(), kind=kinds
)  # fmt: skip
def test_matching_agrees_with_its_definition(pattern, deep, kind):
    """Written once more, segment by segment, by recursion."""

    def meant(p, k):
        if p == ["**"]:
            return len(k) >= 1
        if not p or not k:
            return not p and not k
        return p[0] in {"*", k[0]} and meant(p[1:], k[1:])

    pattern = [*pattern, "**"] if deep or not pattern else pattern

    assert matches(".".join(pattern), ".".join(kind)) == meant(pattern, kind)
