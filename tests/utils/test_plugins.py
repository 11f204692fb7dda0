"""Plug-ins are loaded one by one: what each adds, what is wrong with a faulty one; nobody suffers for another."""

import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from utils.plugins import Plugin, PluginFault, load

_numbers = count()
Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a module that no other test has imported; gives its name."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(text: str) -> str:
        name = f"plugin_of_a_test_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(text)
        return name

    return write


def nowhere(*_: object) -> None:
    raise AssertionError("nothing is appended while modules are loaded")


def test_a_plugin_adds_types_handlers_and_numbers(write: Write) -> None:
    """All it says in `register`, under its own name."""
    name = write(
        """
def handle(event): pass
def register(plugin):
    plugin.event_type("shop.opened", "A shop opened.")
    plugin.on("run.*", handle)
    plugin.on("run.*", handle, name="again", start="beginning")
    plugin.metric("shelves", lambda: 3, unit="pieces", tags={"shop": "berlin"})
"""
    )

    found = load([name], nowhere)

    (plugin,) = found.loaded
    assert [(one.name, one.description) for one in plugin.event_types] == [("shop.opened", "A shop opened.")]
    assert [(one.name, one.pattern, one.start) for one in plugin.consumers] == [
        (f"plugin.{name}.handle", "run.*", "head"),
        (f"plugin.{name}.again", "run.*", "beginning"),
    ]
    assert [(one.name, one.function(), one.unit, one.tags) for one in plugin.metrics] == [
        ("shelves", 3, "pieces", {"shop": "berlin"})
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("1 / 0", "cannot be imported (ZeroDivisionError: division by zero)"),
        ("raise SystemExit(3)", "cannot be imported (SystemExit: 3)"),
        ("import not_there_at_all", "cannot be imported (ModuleNotFoundError: No module named 'not_there_at_all')"),
        ("def register(:", "cannot be imported (SyntaxError"),
        ("register = 3", "has no function `register`"),
        ("", "has no function `register`"),
        ("def register(): pass", "`register` failed (TypeError"),
        ("def register(plugin): raise KeyError('x')", "`register` failed (KeyError: 'x')"),
        ("def register(plugin): exit(1)", "`register` failed (SystemExit: 1)"),
        ("def register(plugin): plugin.event_type('late', 'x')", "event type 'late'"),
        ("def register(plugin): plugin.event_type('run.late', 'x')", "the program has types of its own"),
        ("def register(plugin): plugin.event_type('shop.late', '')", "say in a sentence"),
        ("def register(plugin): plugin.on('run*', print)", "expected a type such as run.finished"),
        ("def register(plugin): plugin.on('run.*', print); plugin.on('a.*', print)", "this name is taken"),
        ("def register(plugin): plugin.metric('two words', int)", "'two words' is no name for a metric"),
    ],
    ids=[
        "raises when imported",
        "exits when imported",
        "imports what is missing",
        "is no Python",
        "register is no function",
        "is empty",
        "register takes nothing",
        "register raises",
        "register exits",
        "type without a dot",
        "type of the program",
        "type without words",
        "pattern",
        "handler twice",
        "number's name",
    ],
)
def test_a_faulty_plugin_is_named_and_the_others_are_loaded(write: Write, text: str, error: str) -> None:
    """What it had added before it failed is not used either; what to do is said."""
    good, bad = write("def register(plugin): plugin.metric('n', int)"), write(text)

    found = load([bad, good], nowhere, reserved=frozenset({"run"}))

    assert [plugin.name for plugin in found.loaded] == [good]
    (fault,) = found.faults
    assert fault.plugin == bad
    assert error in fault.error
    assert fault.hint


def test_a_module_that_is_missing_is_looked_for_under_code() -> None:
    """Which is what was forgotten, most of the time."""
    found = load(["no_such_plugin.inner"], nowhere)

    words = "cannot be imported (ModuleNotFoundError: No module named 'no_such_plugin')"
    assert found.faults == (PluginFault("no_such_plugin.inner", words, "Is its folder listed under `code`?"),)
    assert "no_such_plugin" not in sys.modules


def test_a_module_that_is_hidden_by_another_is_told_which() -> None:
    """One called as a part of Python is never imported: its path says who was."""
    found = load(["numbers"], nowhere)

    (fault,) = found.faults
    assert fault.error == "has no function `register`"
    assert "numbers.py: write `def register(plugin):` in it, or rename yours" in fault.hint


def test_an_own_event_goes_where_the_program_says() -> None:
    """With its type, its subject, its data, and the plug-in's name."""
    told: list[tuple[object, ...]] = []
    plugin = Plugin("shop", lambda *event: told.append(event))

    plugin.event_type("shop.opened", "A shop opened.")("berlin", {"at": 9})

    assert told == [("shop.opened", "berlin", {"at": 9}, "shop")]
