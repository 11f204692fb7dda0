"""Every text of the pages has its Portuguese."""

import ast
import string
from collections.abc import Iterator
from functools import cache
from importlib import import_module

import pytest

from dashboard.language import Language, Words, moment
from dashboard.portuguese import PAGES, TEXTS
from integrated_system import ROOT


@cache
def _literals() -> dict[str, list[str]]:
    """Every text that stands in the code of the pages, and where."""
    found: dict[str, list[str]] = {}
    looked_up = ROOT / "operations" / "why.py"  # what its commands do is translated word for word
    for path in sorted([*(ROOT / "dashboard").rglob("*.py"), looked_up]):
        if "portuguese" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.setdefault(node.value, []).append(f"{path.relative_to(ROOT)}:{node.lineno}")
    return found


def _asked_for() -> Iterator[tuple[str, str]]:
    """Texts that are given to `words(...)` as literals, with their places."""
    for path in sorted((ROOT / "dashboard").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            texts = {"words": node.args[:1], "say": node.args[:1], "number": node.args[1:3]}.get(name, [])
            for text in texts:
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    yield text.value, f"{path.relative_to(ROOT)}:{node.lineno}"


def _places(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def test_every_text_has_its_portuguese() -> None:
    """What is missing is shown in English, in the middle of a Portuguese page."""
    missing = {text: place for text, place in _asked_for() if text not in TEXTS}

    assert missing == {}


def test_every_translation_is_used() -> None:
    """What no code says any more goes from the lists."""
    literals = _literals()

    assert [text for text in TEXTS if text not in literals] == []


def test_what_is_filled_in_is_the_same_in_both_languages() -> None:
    """A name that is missing would be an error on the page."""
    assert {text: other for text, other in TEXTS.items() if _places(text) != _places(other)} == {}


def test_a_text_stands_in_one_list() -> None:
    """What several pages say is in `shell`."""
    lists = [import_module(f"dashboard.portuguese.{page}").TEXTS for page in PAGES]
    several = {text for texts in lists for text in texts if sum(text in other for other in lists) > 1}

    assert several == set()


@pytest.mark.parametrize("page", PAGES)
def test_each_list_is_of_a_page(page: str) -> None:
    """So that who changes a page finds its words."""
    assert page == "shell" or (ROOT / "dashboard" / "screens" / f"{page}.py").is_file()


def test_words_are_filled_in_after_they_are_translated() -> None:
    """Whatever order the other language has them in."""
    words = Words("pt", {"{a} of {b}": "de {b}, {a}"})

    assert words("{a} of {b}", a=1, b=2) == "de 2, 1"
    assert words("nobody knows {a}", a=1) == "nobody knows 1"


def test_what_commands_do_is_told_in_portuguese() -> None:
    """`why` says it in English; where a number stands in it, it stays so."""
    said = {
        node.args[1].value
        for node in ast.walk(ast.parse((ROOT / "operations" / "why.py").read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Command"
        if len(node.args) == 2 and isinstance(node.args[1], ast.Constant)
    }

    assert len(said) > 10
    assert said - set(TEXTS) == set()


@pytest.mark.parametrize(
    ("language", "now", "told"),
    [
        ("en", "2026-11-20T17:00:00Z", "16:00:12"),
        ("en", "2026-11-21T00:00:00Z", "20 Nov 16:00:12"),
        ("en", "2027-01-02T00:00:00Z", "20 Nov 2026 16:00:12"),
        ("pt", "2026-11-21T00:00:00Z", "20 nov. 16:00:12"),
        ("pt", "1999-01-01T00:00:00Z", "20 nov. 2026 16:00:12"),
    ],
    ids=["the same day", "another day", "another year", "Portuguese", "long before"],
)
def test_a_moment_is_as_short_as_it_may_be(language: Language, now: str, told: str) -> None:
    """The time alone for today; whoever reads of another year is told which."""
    shown = Words.of(language).clock(moment("2026-11-20T16:00:12Z"), moment(now), seconds=True)

    assert shown == told
