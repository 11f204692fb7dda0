"""Find a user's function, call it with what it takes, and say where in their code it failed."""

import ast
import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from config.errors import Fault, shown

_FOLDER = "Is its folder listed under `code`?"
_seen: dict[tuple[str, float], set[str] | None] = {}
_running: dict[str, str] = {}
"""Module -> the hash of the text that this process runs."""


def check_function(target: str) -> str:
    """The text `module:name` itself, if there is such a module with such a name. The module is not run.

    Raises:
        Fault: what is missing, with the nearest name; or the module's text is no Python.
    """
    module, _, name = target.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *name.split("."))):
        raise Fault(f"expected `module:name`, got {shown(target)}", hint="Write it like `my_sources:rates`.")
    try:
        spec = importlib.util.find_spec(module)
        if spec is None:
            importlib.invalidate_caches()  # the file may be younger than what the import system has listed
            spec = importlib.util.find_spec(module)
    except Exception as error:
        raise Fault(f"module `{module}` cannot be imported ({type(error).__name__}: {error})", hint=_FOLDER) from error
    if spec is None:
        raise Fault(f"there is no module `{module}`", hint=f"{_FOLDER} A folder is named by its path.")
    names = _names_in(spec.origin, module)
    first = name.split(".")[0]
    if names is not None and first not in names:
        near = get_close_matches(first, names, n=1)
        known = ", ".join(f"`{known}`" for known in sorted(names)[:8] if not known.startswith("_"))
        raise Fault(
            f"module `{module}` has no `{first}`" + (f"; did you mean `{near[0]}`?" if near else ""),
            hint=f"{spec.origin} has {known or 'no names'}.",
        )
    return target


def find(target: str) -> Any:
    """The object that `module:name` names. Runs the module, once a process."""
    module, _, name = target.partition(":")
    if module not in sys.modules:
        _running[module] = _digest(module)  # its file may be changed while we run what it was
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def code_of(target: str) -> str:
    """16 hex digits that change with the name and the text of its module, as it is or would be run by this process.

    What the module imports is not seen. "": the text cannot be read.
    """
    module, _, name = target.partition(":")
    digest = _running[module] if module in _running and module in sys.modules else _digest(module)
    return digest and hashlib.sha256(f"{name} {digest}".encode()).hexdigest()[:16]


def _digest(module: str) -> str:
    try:
        spec = importlib.util.find_spec(module)
        return hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest() if spec and spec.origin else ""
    except Exception:  # noqa: BLE001 - who runs it is told what is wrong with it
        return ""


def call(found: Any, params: Mapping[str, Any], offered: Mapping[str, Any]) -> Any:
    """Call a function with its parameters, and with those of `offered` that it has a place for.

    `cursor` also goes to a function that takes `**anything`. A thing that cannot be called is the result itself.

    Raises:
        TypeError: the function does not take these parameters; its own errors come as they are.
    """
    if not callable(found) or (not params and hasattr(found, "selected_resources")):
        return found
    try:
        signature = inspect.signature(found)
    except ValueError:  # built into the interpreter: it will say itself what it takes
        return found(**params)
    takes = signature.parameters
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes.values())
    by_name = {name for name, parameter in takes.items() if parameter.kind in _BY_NAME}
    given = {name: value for name, value in offered.items() if name in by_name or (open_ended and name == "cursor")}
    given |= params
    try:
        signature.bind(**given)
    except TypeError as error:
        raise Mismatch(f"{error}; it is declared as {getattr(found, '__name__', 'function')}{signature}") from error
    return found(**given)


_BY_NAME = {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}


class Mismatch(TypeError):
    """The function does not take the parameters that were configured."""


def told_of(target: str, error: BaseException) -> str:
    """What a user's function raised, in a line, with the place in their code."""
    try:
        lines = str(error).strip().splitlines()
    except Exception:  # noqa: BLE001 - their own error, whose text fails too
        lines = []
    message = f": {lines[0][:300]}" if lines else ""
    place = _place_of(error, target.partition(":")[0])
    return f"{target} failed with {type(error).__name__}{message}" + (f" ({place})" if place else "")


def _place_of(error: BaseException, module: str) -> str:
    """`file.py:12` where the user's code failed: the innermost line of their module, else of anybody's but ours."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = str(Path(__file__).parents[1])
    try:
        spec = importlib.util.find_spec(module)
        theirs = spec.origin if spec else None
    except Exception:  # noqa: BLE001 - only looked up to say more
        theirs = None
    mine = [frame for frame in frames if frame.filename == theirs]
    others = [
        frame for frame in frames if not frame.filename.startswith((str(Path(ours) / "data_pipeline"), "<frozen"))
    ]
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    found = mine or others
    return f"{found[-1].filename}:{found[-1].lineno}" if found else ""


def _names_in(origin: str | None, module: str) -> set[str] | None:
    """What a module's text defines at its top; None: it cannot be told from the text."""
    if origin is None or not origin.endswith(".py"):
        return None
    path = Path(origin)
    key = (origin, path.stat().st_mtime)
    if key not in _seen:
        try:
            tree = ast.parse(path.read_bytes(), filename=origin)
        except (SyntaxError, ValueError) as error:
            where = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
            reason = error.msg if isinstance(error, SyntaxError) else error
            raise Fault(
                f"module `{module}` is not valid Python ({reason}{where})", hint=f"Look at {origin}."
            ) from error
        _seen[key] = _bound(tree)
    return _seen[key]


def _bound(tree: ast.Module) -> set[str] | None:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name.partition(".")[0]) for alias in node.names}
    return None if names & {"*", "__getattr__"} else names
