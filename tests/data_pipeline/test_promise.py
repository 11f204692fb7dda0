"""A promise about the age of the data, kept and broken."""

from data_pipeline.promise import broken


def test_no_promise_cannot_be_broken() -> None:
    assert broken(None, None) == ""
    assert broken(None, 1e9) == ""


def test_the_limit_itself_keeps_the_promise() -> None:
    assert broken(60.0, 60.0) == ""
    assert broken(86_400.0, 87_480.0) == "promise broken: the data is 24.3 h old, promised is 24 h"


def test_data_whose_age_nobody_knows_keeps_no_promise() -> None:
    assert broken(86_400.0, None) == "promise broken: the data is of unknown age, promised is 24 h"
