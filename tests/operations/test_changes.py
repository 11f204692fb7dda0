"""What differs between two versions."""

from datetime import UTC, datetime

from data_pipeline.store.views import Version
from data_pipeline.validate.report import Report, RuleOutcome
from operations.changes import between


def version(name: str, failed: int, of: int) -> Version:
    outcome = RuleOutcome("range(a)", "range", ("a",), "error", "validity", 3.0, 0.0, failed, of, not failed)
    report = Report(10, failed, datetime(2026, 1, 1, tzinfo=UTC), (outcome,)).to_json()
    body = {"report": report, "quality": {"score": 90.0}, "fingerprint": "f", "layout": "l", "rows": 10, "columns": []}
    return Version("d", name, "accepted", "2026-01-01T00:00:00Z", 10, 1, "p", body)


def test_a_rule_that_has_no_value_left_to_judge_is_not_told_as_kept() -> None:
    """All values are gone: nothing breaks the rule, and nothing is well either."""
    (gone,) = between(version("a", 1, 10), version("b", 0, 0))
    (mended,) = between(version("a", 1, 10), version("b", 0, 10))

    assert gone.words == "`range(a)`: nothing is there to judge, 1 broke it before"
    assert mended.words == "`range(a)`: nothing breaks it any more, 1 before"
