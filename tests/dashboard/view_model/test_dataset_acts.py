"""The versions of a dataset, and what may be decided and done about them."""

from typing import Any

from dashboard.view_model.dataset import head
from dashboard.view_model.dataset_acts import MOST_ROWS, captures, decided, export, planned
from dashboard.view_model.dataset_versions import differing, versions
from tests.dashboard.view_model.dataset_answers import NOW, WORDS, WRONG, a_status, a_version, answered, hours_ago


def test_a_version_says_what_may_be_decided_about_it() -> None:
    """Accept what is held, go back to what was accepted; nothing about what readers get or what was rejected."""
    held = a_version("v4", 1, "held", reason="broke a rule")
    current = a_version("v3", 2, current=True, actor="ana", decided_at=hours_ago(1), why="looked")
    found = {"versions": [held, current, a_version("v2", 3, "rejected"), a_version("v1", 4)]}

    panel = versions(answered(found), NOW, WORDS)

    assert [one.decide for one in panel.rows] == ["accept", "", "", "roll back"]
    assert [one.before for one in panel.rows] == ["v3", "v1", "v1", ""]
    assert "broke a rule" in panel.rows[0].words
    assert "decided by ana, 11:00: looked" in panel.rows[1].words
    assert panel.note == "4 kept"


def test_a_difference_that_was_not_counted_says_why() -> None:
    """Its numbers are dashes."""
    counts: dict[str, Any] = {
        "key": [],
        "added": None,
        "removed": None,
        "changed": None,
        "same": None,
        "samples": {},
        "note": "too many",
    }
    one = {"version": "v1", "time": hours_ago(1)}
    found = {"before": one, "after": one, "changes": [], "columns": [], "figures": [], "rows": counts}

    told = differing(answered(found), NOW, WORDS)

    assert {figure.value for figure in told.counts} == {"–"}
    assert told.note == "too many"
    assert differing(WRONG, NOW, WORDS).face is not None


def test_what_a_decision_led_to_is_told_in_words() -> None:
    """With what waits for a sink."""
    document = {"decision": "accepted", "rows": 1200, "publications": [{"state": "waiting"}]}

    assert decided(document, WORDS) == "The batch was accepted: readers get 1,200 rows. A sink gets it later."
    assert decided({**document, "decision": "rejected", "publications": []}, WORDS).endswith("readers keep 1,200 rows.")


def test_a_plan_says_what_it_costs_or_that_there_is_nothing_to_do() -> None:
    """About how many requests and how long."""
    found = {"partitions": ["a", "b"], "requests": 2, "duration_s": 120.0, "notes": ["slowly"]}

    told = planned(answered(found), WORDS)

    assert (told.pieces, told.words) == (2, "2 pieces, a to b, with about 2 requests. It takes about 2 min.\nSlowly.")
    assert planned(answered({**found, "partitions": []}), WORDS).pieces == 0
    assert planned(WRONG, WORDS).face is not None


def test_captures_are_told_by_when_they_came() -> None:
    """And what to do where nothing is kept."""
    found = {"runs": [{"run_id": "r1", "collected_at": hours_ago(1), "size": 1500}]}

    assert captures(answered(found), NOW, WORDS).runs == (("r1", "11:00:00, 1.5 kB"),)
    nothing = captures(answered({"runs": []}), NOW, WORDS).face
    assert nothing is not None
    assert "keep_raw" in nothing.hint


def test_a_table_that_is_too_large_is_not_held_in_memory() -> None:
    """The command that writes it is told in its place; of nothing there is nothing."""
    model = head("orders", ("orders",), answered({"datasets": [a_status()]}), None, NOW, WORDS)

    def told(**more: Any) -> Any:
        return export(model, answered({"versions": [a_version("v1", 1, current=True, **more)]}), WORDS)

    assert (told().version, told().command) == ("v1", "")
    assert told(rows=MOST_ROWS + 1).version is None
    assert "show orders --format parquet" in told(size=10**9).command
    assert export(model, answered({"versions": []}), WORDS).version is None
