"""What did not go by itself in a dataset's turn stands beside what came of it."""

from typing import Any

import pytest

from data_pipeline.collect.course import MOST, Course
from integrated_system import IntegratedSystem
from operations.actor import Actor
from operations.run import run
from operations.runs import show
from tests.integration.installation import Installation
from utils.clock import ManualClock

ME = Actor("tester")


def _installation(tmp_path: Any, **more: Any) -> Installation:
    made = Installation(tmp_path)
    down = {"kind": "simulated", "script": [{"after": "0s", "do": "down"}]}
    retry = {"retry": {"attempts": 3, "initial": "1ms"}}
    made.configure(
        {"name": "well", "collect": {"kind": "simulated"}},
        {"name": "down", "collect": down, "resilience": retry},
        **more,
    )
    return made


def _course(system: IntegratedSystem, dataset: str) -> Any:
    (event,) = system.events.read(subject=dataset, type="dataset.*", newest_first=True, limit=1)
    return event.data.get("course")


def test_failed_attempts_and_the_pauses_between_them_are_told_in_order(tmp_path: Any) -> None:
    """Three attempts, two pauses; each begins where the one before it ended, or later."""
    with _installation(tmp_path).system() as system:
        ran = run(system, ME)
        whole = show(system, ran.run_id)

    (part,) = [part for part in whole.parts if part.dataset == "down"]
    assert [step.kind for step in part.steps] == ["failed", "pause", "failed", "pause", "failed"]
    assert all(a.at_s <= b.at_s for a, b in zip(part.steps, part.steps[1:], strict=False))
    assert part.steps[0].words == "down: simulated failure (503)"
    assert part.attempts == 3
    assert part.began_at is not None
    assert part.ended_at is not None
    assert part.began_at <= part.ended_at


def test_what_goes_by_itself_leaves_no_trace(tmp_path: Any) -> None:
    """Most datasets of most runs: their events are as long as they were."""
    with _installation(tmp_path).system() as system:
        run(system, ME, ["well"])

        assert _course(system, "well") is None


def test_the_wait_for_the_rate_of_a_provider_is_told(tmp_path: Any) -> None:
    """Two datasets of a provider that takes a request a second: the second waits."""
    made = Installation(tmp_path)
    shared = {"provider": "shop", "collect": {"kind": "simulated"}}
    limit = {"rate_limit": {"rate": 1, "burst": 1}}
    made.configure({"name": "one", **shared}, {"name": "two", **shared}, providers={"shop": {"resilience": limit}})
    with made.system(ManualClock()) as system:
        run(system, ME, workers=1)
        waits = [step for name in ("one", "two") for step in (_course(system, name) or {"steps": []})["steps"]]

    assert {kind for kind, *_ in waits} == {"rate_limit"}
    assert all(seconds > 0.0 for _, _, seconds, _ in waits)


def test_a_course_tells_so_many_steps_and_how_long_the_others_took() -> None:
    """A thousand pages, each of which had to wait, are no thousand entries in the log."""
    clock = ManualClock()
    course = Course(clock.monotonic, clock.monotonic())
    for _ in range(MOST + 10):
        clock.advance(0.5)
        course.waited("rate_limit", 0.5)

    told = course.to_json(str)["course"]

    assert len(told["steps"]) == MOST
    assert (told["left_out"], told["left_out_s"]) == (10, 5.0)


@pytest.mark.parametrize("words", ["x" * 10_000, "token=hush"], ids=["long", "secret"])
def test_words_are_short_and_without_secrets(words: str) -> None:
    """What a provider says may be long, and may say what it was asked with."""
    clock = ManualClock()
    course = Course(clock.monotonic, clock.monotonic())
    course.failed(clock.monotonic(), ValueError(words))

    ((_, _, _, told),) = course.to_json(lambda text: text.replace("hush", "***"))["course"]["steps"]

    assert len(told) <= 160
    assert "hush" not in told
