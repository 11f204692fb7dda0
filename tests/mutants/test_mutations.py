"""The faults that `make mutants` puts into the program, one place at a time."""

import sys
import tomllib
from pathlib import Path
from types import FunctionType

import pytest

from tests.mutants.judging import ordered, swap
from tests.mutants.mutations import Mutant, mutants

PATH = "parts/thing.py"


def becomes(body: str) -> list[str]:
    """What a function of one line may become."""
    source = f"def asked(a, b, c):\n    {body}\n"
    return [one.changed(source).splitlines()[1].strip() for one in mutants(PATH, source)]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        pytest.param("return a < b", ["return None", "return a <= b"], id="a comparison by its neighbour"),
        pytest.param("return a is not b", ["return None", "return a is b"], id="a comparison of two words"),
        pytest.param("return (a) + (b)", ["return None", "return (a) - (b)"], id="arithmetic, with brackets"),
        pytest.param("a and b(1)", ["a or b(1)", "a and b(2)"], id="logic"),
        pytest.param("a += b", ["a -= b"], id="what is added to"),
        pytest.param("a(b)", ["pass"], id="a call that is left out"),
        pytest.param("c = a", ["c = None"], id="a value that is left out"),
        pytest.param("return True", ["return False"], id="a truth"),
        pytest.param("return 'é', 0.5", ["return None", "return 'XXé', 0.5", "return 'é', 1.5"], id="constants"),
        pytest.param("raise ValueError('no' if a else 'yes')", ["pass"], id="an error, but not its words"),
        pytest.param("return [a for a in b if not c]", ["return None", "return [a for a in b if (c)]"], id="a filter"),
        pytest.param(
            "return b if a > c else c",
            ["return None", "return b if (not (a > c)) else c", "return b if a >= c else c"],
            id="a condition and its other way round",
        ),
        pytest.param("return f'{a + b}'", ["return None"], id="not inside of a text with values"),
        pytest.param("assert a < b, 'c'", [], id="not an assert"),
        pytest.param("'what it does'", [], id="not a docstring"),
        pytest.param("c: list[int] = a", [], id="not an annotation"),
    ],
)
def test_one_place_becomes_another(body: str, found: list[str]):
    """In the order of the source."""
    assert becomes(body) == found


def test_every_mutant_of_real_code_changes_it_in_one_place():
    """Its name shows the line as it is and as it becomes."""
    source = Path("utils/resilience/retry_after.py").read_text()
    found = mutants(PATH, source)

    assert len({one.changed(source) for one in found}) == len(found) > 10
    assert source not in {one.changed(source) for one in found}
    assert all(one.told(source).startswith(f"{PATH} ") and "  ->  " in one.told(source) for one in found)


EQUIVALENT = tomllib.loads(Path(__file__).with_name("equivalent.toml").read_text())["equivalent"]


@pytest.mark.parametrize("path", sorted({one["mutant"].partition(" ")[0] for one in EQUIVALENT}))
def test_what_is_said_to_change_nothing_is_still_a_mutant(path: str):
    """Whoever changes such a line has to judge anew; each has its reason."""
    source = Path(path).read_text()
    told = {one.told(source) for one in mutants(path, source)}

    mine = [one for one in EQUIVALENT if one["mutant"].startswith(f"{path} ")]
    assert [one["mutant"] for one in mine if one["mutant"] not in told] == []
    assert all(one["reason"] for one in mine)


def test_a_loaded_function_becomes_the_mutant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Also one that was imported by its name before."""
    source = "class Thing:\n    def double(self, n):\n        return n + n\n\n\nLIMIT = 3\n"
    (tmp_path / "mutated_thing.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    thing = __import__("mutated_thing").Thing()
    double = thing.double
    functions: dict[str, list[FunctionType]] = {str(tmp_path / "mutated_thing.py"): [type(thing).double]}
    *inside, outside = mutants("mutated_thing.py", source)

    assert [one.function for one in (*inside, outside)] == ["Thing.double", "Thing.double", ""]
    assert swap(inside[1], inside[1].changed(source), functions)
    assert (double(3), not swap(outside, outside.changed(source), functions)) == (0, True)
    del sys.modules["mutated_thing"]


def test_tests_of_the_module_itself_are_asked_first():
    """Then the quickest."""
    mutant = Mutant("utils/events/chain.py", "linked", (1, 1, 1), 0, 1, "")
    tests = ["tests/api/test_x.py::a", "tests/utils/events/test_chain.py::slow", "tests/utils/events/test_chain.py::b"]

    assert ordered(mutant, tests, {tests[1]: 1.0}) == [tests[2], tests[1], tests[0]]
