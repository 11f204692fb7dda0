"""Which types of events the program appends: told from its source, so that no list has to be kept."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["CODE", "ROOT", "emitted"]

ROOT = Path(__file__).resolve().parents[2]
CODE = (
    "config",
    "utils",
    "data_pipeline",
    "monitoring",
    "operations",
    "cli",
    "api",
    "dashboard",
    "integrated_system.py",
)
_LOGGED = {"debug", "info", "warning", "error", "timed"}
_APPENDING = {"NewEvent", "_event", "_batch_events", "_tell"}


@cache
def emitted() -> frozenset[str]:
    """The types of all events that the code appends."""
    found: set[str] = set()
    for path in (file for name in CODE for file in [*(ROOT / name).rglob("*.py"), ROOT / name] if file.is_file()):
        found.update(_types_of(ast.parse(path.read_text("utf-8"))))
    return frozenset(found)


def _types_of(tree: ast.Module) -> Iterator[str]:
    constants = {
        target.id: value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and (value := node.value) is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            if name not in _APPENDING or not call.args:
                continue
            first = call.args[0]
            # A type that is worked out: all that the function, and the tables it reads, could mean.
            read = [constants[n.id] for n in ast.walk(function) if isinstance(n, ast.Name) and n.id in constants]
            for part in [first] if isinstance(first, ast.Constant) else [function, *read]:
                yield from _types_in(part)


def _types_in(tree: ast.AST) -> set[str]:
    """Texts that may be types of events; what a line of the log file is called is none."""
    logged = {
        id(call.args[0])
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and call.args and getattr(call.func, "attr", "") in _LOGGED
    }
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in logged]
    texts = {node.value for node in constants if isinstance(node.value, str)}
    return {text for text in texts if re.fullmatch(r"[a-z]+\.[a-z_]+", text)}
