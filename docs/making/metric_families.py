"""The figures that `/metrics` and the command `metrics` show: told from the calls that make them."""

import ast
import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from docs.making.emitted import ROOT

__all__ = ["Family", "families"]

MODULES = ("operations.metrics", "operations.watch_metrics", "operations.recent_runs", "api.figures")
KINDS = ("gauge", "counter", "histogram")


@dataclass(frozen=True, slots=True, order=True)
class Family:
    """One metric: its name as Prometheus sees it, what kind it is, its labels, and what it says."""

    name: str
    kind: str
    labels: tuple[str, ...]
    words: str


def families() -> list[Family]:
    """All of them, by name. A part of a name that only a state tells is in capitals."""
    return sorted({family for name in MODULES for family in _of_module(name)})


def _of_module(name: str) -> Iterator[Family]:
    known = vars(importlib.import_module(name))
    tree = ast.parse((ROOT / f"{name.replace('.', '/')}.py").read_text("utf-8"))
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            kind = getattr(call.func, "attr", "")
            if kind in KINDS and call.args and isinstance(call.args[0], ast.Constant | ast.JoinedStr):
                for bound in _bindings(function, call.args[0], known):
                    yield Family(_text(call.args[0], bound), kind, _labels(function, call), _text(call.args[1], bound))


def _labels(function: ast.FunctionDef, call: ast.Call) -> tuple[str, ...]:
    given = next((keyword.value for keyword in call.keywords if keyword.arg == "labels"), None)
    if isinstance(given, ast.Name):
        assigned = {
            target.id: node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        given = assigned.get(given.id, given)
    if isinstance(given, ast.Tuple):
        return tuple(str(part.value) for part in given.elts if isinstance(part, ast.Constant))
    return ("…",) if given is not None else ()


def _bindings(function: ast.FunctionDef, name: ast.expr, known: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What the names in an f-string are, turn by turn of the loop over a table of the module that it stands in."""
    wanted = {node.id for node in ast.walk(name) if isinstance(node, ast.Name)} - set(known)
    if not wanted:
        yield known
        return
    for loop in (node for node in ast.walk(function) if isinstance(node, ast.For | ast.comprehension)):
        targets = [node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)]
        table = next((known.get(node.id) for node in ast.walk(loop.iter) if isinstance(node, ast.Name)), None)
        if wanted <= set(targets) and table is not None:
            for row in table.items() if isinstance(table, dict) else table:
                yield {**known, **dict(zip(targets, row, strict=True))}
            return
    yield {**known, **{one: one.upper() for one in wanted}}


def _text(node: ast.expr, bound: Mapping[str, Any]) -> str:
    try:
        whole = compile(ast.Expression(node), "a call that makes a metric", "eval")
        return str(eval(whole, dict(bound)))  # noqa: S307 - an expression of our own source, at the time of its docs
    except NameError:
        return ""
