"""Looking for events: by a text in their names, and all that belongs to a run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integrated_system import IntegratedSystem
from operations import find_events as finding
from operations.actor import Actor, UsageError
from operations.events import one
from operations.find_events import find_events
from operations.run import run
from tests.integration.installation import Installation
from utils.events import NewEvent

ME = Actor("tester")


@pytest.fixture
def system(tmp_path: Path) -> Iterator[IntegratedSystem]:
    made = Installation(tmp_path)
    made.configure(*({"name": name, "collect": {"kind": "simulated"}} for name in ("orders", "fx_eur", "fx_usd")))
    with made.system() as system:
        yield system


def test_a_text_is_found_in_subjects_types_and_sources(system: IntegratedSystem) -> None:
    """Newest first, each event once, whichever of its names has it."""
    run(system, ME)

    found = find_events(system, text="FX_", limit=100).events

    assert {event.subject for event in found} == {"fx_eur", "fx_usd"}
    assert [event.seq for event in found] == sorted({event.seq for event in found}, reverse=True)
    assert {event.type for event in find_events(system, text="run.").events} == {"run.started", "run.finished"}
    assert find_events(system, text="%").events == []


@pytest.mark.parametrize("names", [40, 1], ids=["along the links", "by a look at each"])
@pytest.mark.parametrize("text", ["fx", "orders", "d"], ids=["two subjects", "one subject", "many names"])
def test_pages_are_those_of_a_plain_look_at_the_log(
    system: IntegratedSystem, monkeypatch: pytest.MonkeyPatch, names: int, text: str
) -> None:
    """Whichever way it goes, nothing is left out and nothing comes twice."""
    run(system, ME)
    run(system, ME, ["orders"], fresh=True)
    monkeypatch.setattr(finding, "NAMES", names)
    whole = [e for e in system.events.read() if text in e.subject or text in e.type or text in e.source]

    paged, before = [], 0
    while True:
        found = find_events(system, text=text, before=before, limit=3)
        paged += found.events
        if found.before is None:
            break
        before = found.before

    assert [event.seq for event in paged] == [event.seq for event in reversed(whole)]


def test_a_text_goes_with_the_other_filters(system: IntegratedSystem) -> None:
    """A type with a pattern, and a text in the subject."""
    run(system, ME)

    found = find_events(system, text="fx_e", type="batch.*").events

    assert {(event.type, event.subject) for event in found} == {("batch.accepted", "fx_eur")}
    assert find_events(system, text="fx_eur", subject="orders").events == []


@pytest.mark.parametrize("names", [40, 0], ids=["along the links", "by a look at each"])
def test_a_text_goes_with_each_other_filter(
    system: IntegratedSystem, monkeypatch: pytest.MonkeyPatch, names: int
) -> None:
    """Whichever way it goes; also where a whole stretch is newer than what is wanted."""
    run(system, ME)
    middle = system.events.read()[6].time
    system.events.append([NewEvent("plugin.ticked", "fx_new", {}, source="test") for _ in range(12)])
    monkeypatch.setattr(finding, "NAMES", names)
    monkeypatch.setattr(finding, "PAGE", 3)
    monkeypatch.setattr(finding, "STRETCH", 6)

    def whole(**asked: str) -> list[int]:
        seqs, before = [], 0
        while True:
            found = find_events(system, text="fx", before=before, limit=4, **asked)  # type: ignore[arg-type]  # names
            seqs += [event.seq for event in found.events]
            if found.before is None:
                return seqs
            assert not before or found.before < before
            before = found.before

    for asked in ({"until": middle}, {"since": middle}, {"source": "pipeline"}, {"subject": "fx_eur"}):
        plain = [e for e in system.events.read(**asked) if "fx" in e.subject]  # type: ignore[arg-type]  # names
        assert whole(**asked) == [event.seq for event in reversed(plain)], asked


def test_the_events_of_a_run_are_its_own_and_those_of_its_datasets(system: IntegratedSystem) -> None:
    """Not those of another one, also where that one is newer."""
    first = run(system, ME).run_id
    second = run(system, ME, ["orders"], fresh=True).run_id

    of_first = find_events(system, run=first, limit=1000)
    of_second = find_events(system, run=second, limit=1000)

    assert of_first.before is None
    assert {event.subject for event in of_first.events} == {first, "orders", "fx_eur", "fx_usd"}
    assert {event.subject for event in of_second.events} == {second, "orders"}
    assert not {e.seq for e in of_first.events} & {e.seq for e in of_second.events}
    assert find_events(system, run="nobody").events == []
    assert {e.type for e in find_events(system, run=second, text="run.").events} == {"run.started", "run.finished"}


def test_a_page_ends_after_so_many_events_that_were_looked_through(
    system: IntegratedSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of which nothing comes for long does not keep the page waiting: the next one goes on there."""
    mine = run(system, ME, ["orders"]).run_id
    system.events.append([NewEvent("plugin.ticked", f"s{n}", {}, source="test") for n in range(30)])
    system.events.append([NewEvent("run.late", mine, {}, source="test")])
    monkeypatch.setattr(finding, "PAGE", 5)
    monkeypatch.setattr(finding, "STRETCH", 10)

    pages, before = [], 0
    while True:
        found = find_events(system, run=mine, before=before, limit=50)
        pages.append(len(found.events))
        if found.before is None:
            break
        before = found.before

    assert pages[0] == 1
    assert 0 in pages
    assert sum(pages) == len([e for e in system.events.read() if finding._is_of(e, mine)])


def test_one_event_by_its_position_and_none_where_there_is_none(system: IntegratedSystem) -> None:
    """The first is 1."""
    run(system, ME, ["orders"])

    assert one(system, 1).type == "run.started"
    with pytest.raises(UsageError, match="no event 999"):
        one(system, 999)
