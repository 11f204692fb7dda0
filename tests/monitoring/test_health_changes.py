"""When a check changes its state, one event tells it; while it stays, none does."""

from hypothesis import given
from hypothesis import strategies as st

from monitoring.health import HealthResult, HealthResults
from monitoring.health_changes import Standing, changes, standing_of


def found(name: str = "shop", *, well: bool = True, response_s: float = 0.1, by: str | None = None) -> HealthResult:
    return HealthResult(
        name, well, "words", kind="http", response_s=response_s, checked_at=f"t{response_s}", explained_by=by
    )


def told(*results: HealthResult) -> list[str]:
    """What is told of these results, one after the other."""
    standing: dict[str, Standing] = {}
    types = []
    for result in results:
        news, standing = changes(HealthResults({result.name: result}), standing)
        types += [one.what for one in news]
    return types


def test_each_change_is_told_once() -> None:
    """Down, up; slow, quick again; from down to slow it is both."""
    assert told(found(), found()) == []
    assert told(found(well=False), found(well=False), found(), found()) == ["unavailable", "recovered"]
    assert told(found(response_s=5.1), found(response_s=6.0), found(response_s=5.0)) == ["slow", "recovered"]
    assert told(found(response_s=6.0), found(well=False), found()) == ["slow", "unavailable", "recovered"]
    assert told(found(well=False), found(response_s=6.0), found()) == ["unavailable", "recovered", "slow", "recovered"]


def test_an_explained_failure_is_told_when_it_outlasts_its_explanation() -> None:
    """Not before; and one that was told before its parent failed stays told."""
    below = found(well=False, by="host")
    assert told(below, found()) == []
    assert told(below, found(well=False), below, found()) == ["unavailable", "recovered"]


def test_an_event_says_what_why_and_since_when() -> None:
    """The recovery: since when it was ill."""
    (down,), standing = changes(HealthResults(shop=found(well=False, response_s=5.0)), {})
    (up,), _ = changes(HealthResults(shop=found()), standing)

    assert (down.name, down.data) == ("shop", {"kind": "http", "reason": "words", "since": "t5.0", "response_s": 5.0})
    assert up.data == {"kind": "http", "reason": "words", "since": "t5.0", "response_s": 0.1, "was": "unavailable"}
    assert standing_of(down.what, down.data) == standing["shop"]
    assert standing_of(up.what, up.data) == Standing()


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.1, 6.0]), st.booleans()), max_size=30))
def test_the_log_alone_tells_how_a_check_stands(history: list[tuple[bool, float, bool]]) -> None:
    """Whatever it went through: a process that reads the newest event goes on where the other one was."""
    mine: dict[str, Standing] = {}
    log: list[tuple[str, dict[str, object]]] = []
    for well, response_s, explained in history:
        result = found(well=well, response_s=response_s, by="host" if explained and not well else None)
        of_log = {"shop": standing_of(*log[-1])} if log else {}
        again, _ = changes(HealthResults(shop=result), of_log)
        news, mine = changes(HealthResults(shop=result), mine)
        assert [one.what for one in again] == [one.what for one in news]
        log += [(one.what, one.data) for one in news]
