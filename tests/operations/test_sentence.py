"""The first line of `status`: what matters most, in one sentence."""

from typing import Any

import pytest

from operations.status import DatasetStatus, sentence


def dataset(name: str, status: str, origin: str = "provider", **more: Any) -> DatasetStatus:
    known: dict[str, Any] = dict.fromkeys(DatasetStatus.__slots__)
    counted = {"rows": 1, "quarantined": 0, "failures": 0}
    return DatasetStatus(
        **{**known, **counted, "dataset": name, "provider": "p", "status": status, "origin": origin, **more}
    )


GOOD = dataset("good", "succeeded")
OLD = dataset("old", "degraded", "last_good", collected_at="2026-11-20T08:00:00.000000Z")
OLDER = dataset("older", "degraded", "last_good", collected_at="2026-11-19T08:00:00.000000Z")

CASES = {
    "nothing declared": ([], "No dataset is declared yet: `config init` writes a first configuration."),
    "one never ran": ([dataset("a", "never ran")], "Nothing has run yet: 1 dataset waits for the first `run`."),
    "two never ran": (
        [dataset("a", "never ran"), dataset("b", "never ran")],
        "Nothing has run yet: 2 datasets wait for the first `run`.",
    ),
    "one is well": ([GOOD], "The one dataset delivered as it should."),
    "all are well": ([GOOD, GOOD], "All 2 datasets delivered as they should."),
    "one failed": (
        [GOOD, dataset("bad", "failed")],
        "1 of 2 datasets delivered as they should; 1 dataset failed (bad).",
    ),
    "old copies, the oldest told": (
        [GOOD, OLD, OLDER],
        (
            "1 of 3 datasets delivered as they should; "
            "2 datasets degraded (old, older: last good of 19 Nov 2026 08:00 UTC). Nothing failed: it can wait."
        ),
    ),
    "a snapshot": (
        [dataset("s", "degraded", "snapshot")],
        (
            "0 of 1 datasets delivered as they should; 1 dataset degraded (s: shipped snapshot). "
            "Nothing failed: it can wait."
        ),
    ),
    "published with doubts": (
        [dataset("d", "degraded")],
        (
            "0 of 1 datasets delivered as they should; 1 dataset degraded (d: delivered with doubts). "
            "Nothing failed: it can wait."
        ),
    ),
    "failed comes before degraded, never ran last": (
        [dataset("n", "never ran"), dataset("s", "degraded", "snapshot"), dataset("f", "failed")],
        (
            "0 of 3 datasets delivered as they should; 1 dataset failed (f), "
            "1 dataset degraded (s: shipped snapshot), 1 never ran (n)."
        ),
    ),
}


@pytest.mark.parametrize(("datasets", "said"), CASES.values(), ids=CASES)
def test_everything_is_said_in_one_sentence(datasets: list[DatasetStatus], said: str) -> None:
    """What failed, what is old and how old, what never ran."""
    assert sentence(datasets) == said


def test_many_names_are_counted() -> None:
    """Sixty failures do not make a sentence of sixty names."""
    said = sentence([dataset(f"d{n:02}", "failed") for n in range(60)])

    assert said == "0 of 60 datasets delivered as they should; 60 datasets failed (d00, d01, d02, d03 and 56 more)."
