"""What a rule does not need is not imported for it."""

import subprocess
import sys
from importlib import import_module

import pytest

from data_pipeline.validate.kernels.binding import GATHERED


def test_a_kernel_is_imported_when_a_rule_needs_it():
    """Plain rules load none of the rarer ones; each comes with its first rule. None of these brings pandas."""
    code = """
import sys
from data_pipeline.validate.engine import validate
from data_pipeline.validate.rules import parse_rules
from tests.data_pipeline.validate.plain import NOW, batch_of

def used(*raw):
    validate(batch_of({"a": [1, 2], "t": ["x", "y"]}), parse_rules(raw), now=NOW)
    return {name.rpartition(".")[2] for name in sys.modules if name.startswith("data_pipeline.validate.kernels.")}

rare = {"aggregate", "drift", "changed", "formats", "references", "change", "monotonic", "python_rule"}
rare |= {"segments", "where", "portions"}
plain = [{"unique": "a"}, {"range": {"column": "a", "min": 0}}, {"compare": "a > 0"}]
plain += [{"type": {"column": "t", "is": "date"}}]
assert not rare & used(*plain, {"row_count": 1}), rare & used(*plain)
assert "formats" in used({"format": {"column": "t", "is": "email"}})
assert "monotonic" in used({"monotonic": "a"})
assert {"where", "segments"} <= used({"not_null": "a", "where": "a > 1"})
assert "pandas" not in sys.modules
"""

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("kind", GATHERED.values(), ids=GATHERED)
def test_each_kind_that_gathers_can_be_read_back(kind):
    """Its state is of a class that knows how; and something binds it."""
    assert callable(kind.state.from_bytes)
    assert callable(getattr(import_module(kind.state.__module__), kind.binder))
