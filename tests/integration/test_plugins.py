"""Real plug-ins in a real folder: they take part in runs, and whatever they do, no run suffers."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from operations import plugins as at_work
from operations.actor import Actor
from operations.configuration import check
from operations.health import health
from operations.maintain import maintain
from operations.run import run
from tests.integration.installation import Installation

ME = Actor("test")

SHOP = """
import json
from pathlib import Path

HERE = Path(__file__).parent

def greet(event):
    with (HERE / "seen.jsonl").open("a") as file:
        file.write(json.dumps([event.seq, event.type, event.subject]) + "\\n")

def register(plugin):
    opened = plugin.event_type("shop.opened", "A shop opened.")
    plugin.on("run.*", greet)
    plugin.on("run.finished", lambda event: opened("berlin", {"run": event.subject}), name="open")
    plugin.metric("shelves", lambda: 12, unit="pieces", tags={"shop": "berlin"})
    plugin.metric("unmeasured", lambda: None)
"""


class Shop(Installation):
    """An installation with a folder of code."""

    def plug_in(self, **modules: str) -> None:
        """Write the modules into a folder of this test alone; names are made its own, too."""
        self.code.mkdir(exist_ok=True)
        for name, text in modules.items():
            (self.code / f"{name}.py").write_text(text)
        fx = {"name": "fx", "collect": {"kind": "simulated", "rows": 3}}
        self.configure(fx, code=[str(self.code)], plugins=list(modules))

    @property
    def code(self) -> Path:
        return self.folder / "code"

    @property
    def seen(self) -> "list[list[object]]":
        """What the handler wrote down."""
        return [json.loads(line) for line in (self.code / "seen.jsonl").read_text().splitlines()]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Iterator[Shop]":
    """Modules that it imports are forgotten again."""
    import sys

    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield Shop(tmp_path)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def test_a_plugin_takes_part_in_every_run(shop: Shop) -> None:
    """Its handlers see the run from its first event on, its own events are in the log, its numbers in the history."""
    shop.plug_in(shop_one=SHOP)
    with shop.system() as system:
        first, second = run(system, ME), run(system, ME)
        own = system.events.read(type="shop.opened")
        (series,) = system.history.series("shelves")
        (block,) = system.history.blocks([series.subject])

    runs = [first.run_id, second.run_id]
    assert [(kind, subject) for _, kind, subject in shop.seen] == [
        (kind, run_id) for run_id in runs for kind in ("run.started", "run.finished")
    ]
    assert [(event.subject, event.source, event.data["run"]) for event in own] == [
        ("berlin", "plugin:shop_one", run_id) for run_id in runs
    ]
    assert (str(series), series.unit, block.values[:, 0].tolist()) == ('shelves{shop="berlin"}', "pieces", [12.0, 12.0])


def test_what_happened_without_it_is_seen_the_next_time(shop: Shop) -> None:
    """The cursor stays: a run that another process made, without the plug-in, is handled by maintenance."""
    shop.plug_in(shop_two=SHOP)
    with shop.system() as system:
        run(system, ME)
    shop.configure({"name": "fx", "collect": {"kind": "simulated", "rows": 3}})
    with shop.system() as system:
        missed = run(system, ME)
    shop.plug_in(shop_two=SHOP)
    with shop.system() as system:
        done = maintain(system, ME)

    assert [subject for _, _, subject in shop.seen][2:] == [missed.run_id] * 2
    (step,) = [step for step in done.steps if step.name == "plugins"]
    assert (step.count, step.detail) == (3, "events handled by plug-ins")


def test_faulty_plugins_are_named_and_the_run_is_what_it_was(shop: Shop) -> None:
    """One that cannot be imported, a number that raises, one that is none; the good one beside them works."""
    shop.plug_in(
        shop_three=SHOP,
        broken="1 / 0",
        samples="""
def register(plugin):
    plugin.metric("raises", lambda: 1 / 0)
    plugin.metric("is_none", lambda: "many")
""",
    )
    with shop.system() as system:
        result = run(system, ME)
        told = {event.subject: event.data["error"] for event in system.events.read(type="plugin.failed")}
        checks = {check.name: check for check in health(system).checks}

    assert result.status == "succeeded"
    assert not checks["plugins"].healthy
    assert checks["plugins"].detail == "broken: cannot be imported (ZeroDivisionError: division by zero)"
    assert len(shop.seen) == 2
    assert told == {
        "broken": "cannot be imported (ZeroDivisionError: division by zero). It fails while it is imported: mend it.",
        "samples.raises": "the number could not be sampled (ZeroDivisionError: division by zero)",
        "samples.is_none": "the number could not be sampled (is_none: 'many' is no number)",
    }


def test_a_handler_that_raises_is_tried_again_then_parked(shop: Shop) -> None:
    """Three runs; then it goes on with what came later. The runs are well."""
    shop.plug_in(
        shop_four="""
from pathlib import Path
def fussy(event):
    if event.subject not in (Path(__file__).parent / "taken").read_text():
        raise ValueError("not this one")
def register(plugin):
    plugin.on("run.finished", fussy)
"""
    )
    taken = shop.code / "taken"
    taken.write_text("")
    with shop.system() as system:
        first = run(system, ME)
        taken.write_text("every other run is taken, but the first")
        statuses = [run(system, ME).status for _ in range(2)]
        (parked,) = system.cursors.parked()
        taken.write_text(first.run_id)
        system.cursors.retry("plugin.shop_four.fussy", None)
        maintain(system, ME)
        left = system.cursors.parked()

    assert [first.status, *statuses] == ["succeeded"] * 3
    assert (parked.attempts, parked.error) == (3, "ValueError: not this one")
    assert left == []


def test_a_handler_that_hangs_does_not_keep_the_run(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends without it, and the other handlers had their turn."""
    monkeypatch.setattr(at_work, "HANDLERS_S", 0.3)
    go_on = threading.Event()
    monkeypatch.setattr(threading, "go_on_after_the_test", go_on, raising=False)
    shop.plug_in(
        shop_five=SHOP,
        hangs="""
import threading
def hang(event):
    threading.go_on_after_the_test.wait(120)
def register(plugin):
    plugin.on("run.finished", hang)
""",
    )
    with shop.system() as system:
        result = run(system, ME)
        hanging = [thread for thread in threading.enumerate() if thread.name == "follow:plugin.hangs.hang"]
        assert len(hanging) == 1
        go_on.set()
        hanging[0].join(120)

    assert result.status == "succeeded"
    assert len(shop.seen) == 2


def test_the_check_of_the_configuration_lists_what_plugins_add(shop: Shop) -> None:
    """In words and as JSON."""
    shop.plug_in(shop_six=SHOP)

    said, told = shop.cli("config", "check"), shop.cli("config", "check", "--json")

    assert said.code == told.code == 0
    assert "plug-in shop_six: shop.opened, plugin.shop_six.greet, plugin.shop_six.open, shelves, unmeasured" in said.out
    assert told.json["plugins"] == [
        {
            "name": "shop_six",
            "event_types": {"shop.opened": "A shop opened."},
            "handlers": ["plugin.shop_six.greet", "plugin.shop_six.open"],
            "metrics": ["shelves", "unmeasured"],
        }
    ]


def test_the_check_of_the_configuration_names_every_faulty_plugin(shop: Shop) -> None:
    """All at once, with file and key, exit code 2; a run only says so and goes on."""
    shop.plug_in(shop_seven=SHOP, broken_seven="1 / 0", empty_seven="")

    told = shop.cli("config", "check")
    ran = shop.cli("run")

    assert told.code == 2
    assert "plug-in `broken_seven` cannot be imported (ZeroDivisionError: division by zero)" in told.err
    assert "plug-in `empty_seven` has no function `register`" in told.err
    assert "plugins[1]" in told.err
    assert str(shop.config) in told.err
    assert ran.code == 0
    assert len(shop.seen) == 2


@pytest.mark.parametrize(
    ("plugins", "words"),
    [(["shop.py "], "expected a module's name"), (["a", "a"], "is named twice"), ([3], "expected text")],
    ids=["a file", "twice", "a number"],
)
def test_a_name_that_is_none_is_a_fault_of_the_configuration(shop: Shop, plugins: "list[object]", words: str) -> None:
    """Before anything is imported."""
    shop.configure({"name": "fx", "collect": {"kind": "simulated"}}, plugins=plugins)

    told = shop.cli("config", "check")

    assert told.code == 2
    assert words in told.err


def test_without_plugins_nothing_is_followed(shop: Shop) -> None:
    """And nothing of it is imported."""
    shop.configure({"name": "fx", "collect": {"kind": "simulated", "rows": 3}})
    with shop.system() as system:
        run(system, ME)
        assert system.cursors.standing() == []
        assert check(system).plugins == ()
