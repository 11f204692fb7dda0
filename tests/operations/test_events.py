"""Following the log from an operation's side: nothing twice, nothing left out."""

from itertools import islice
from pathlib import Path

from integrated_system import IntegratedSystem
from operations.events import follow, recent
from utils.events import NewEvent


def add(system: IntegratedSystem, *subjects: str) -> None:
    system.events.append([NewEvent("feedback.given", subject, {}, source="test") for subject in subjects])


def test_follow_begins_with_the_newest_and_goes_on_without_a_gap(tmp_path: Path) -> None:
    """What is committed while the first events are still being read comes next, once."""
    config = tmp_path / "orchestrator.json"
    config.write_text("{}")
    with IntegratedSystem(config, state_dir=tmp_path / "state", environ={}) as system:
        add(system, "a", "b", "c")
        stream = follow(system, limit=2)
        seen = [next(stream).subject]
        add(system, "d", "e")
        seen += [event.subject for event in islice(stream, 3)]

    assert seen == ["b", "c", "d", "e"]


def test_follow_keeps_to_its_filters(tmp_path: Path) -> None:
    """A subject that was asked for is the only one, before and after."""
    config = tmp_path / "orchestrator.json"
    config.write_text("{}")
    with IntegratedSystem(config, state_dir=tmp_path / "state", environ={}) as system:
        add(system, "mine", "other")
        stream = follow(system, subject="mine")
        first = next(stream)
        add(system, "other", "mine")
        second = next(stream)
        newest = [event.subject for event in recent(system, limit=3)]

    assert (first.subject, second.subject, second.seq) == ("mine", "mine", 4)
    assert newest == ["other", "other", "mine"]
