"""Who may do what, as the program itself answers: every path of the API, every page and its buttons, every command.

    python -m tests.authorisation        # writes the tables into docs/security.md

Nothing here is written by hand: paths are asked as each asker, the buttons are those of the pages' code, and the
commands tell whose name they act under.
"""

import ast
import asyncio
import inspect
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from api.app import _routers, create_app
from api.client import Client
from api.security import KNOWN
from integrated_system import IntegratedSystem
from operations import tokens
from operations.actor import ROLES, Actor, owner
from tests.integration.installation import Installation

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "security.md"
BEGIN, END = "<!-- authorisation: written by `python -m tests.authorisation` -->", "<!-- authorisation: end -->"

HERE, AWAY = "127.0.0.1", "203.0.113.9"
UNKNOWN = ("nobody, here, before any token", "nobody, here", "nobody, from elsewhere")
ASKERS = (*UNKNOWN, *ROLES)
LET_IN = "yes"


@dataclass(frozen=True)
class Asker:
    """Who asks: from an address, with a token or none; `known`: in this process, as the dashboard does."""

    address: str = HERE
    secret: str = ""
    known: Actor | None = None


@dataclass(frozen=True)
class Path_:
    """A method and a path, and what each asker gets: `yes`, or the status of the refusal."""

    method: str
    path: str
    answers: tuple[str, ...]


# --- the API


def routes(app: FastAPI) -> list[tuple[str, str]]:
    """Every method and path that is served, whether the document tells it or not."""
    found = dict.fromkeys(_of(app.routes))
    for router in _routers():
        found |= dict.fromkeys(_of(router.routes))
    documented = [(method.upper(), path) for path, each in app.openapi()["paths"].items() for method in each]
    assert set(documented) <= set(found), "a path is served in a way that is not known here"
    return list(found)


def _of(served: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for route in served:
        if (path := getattr(route, "path", None)) is None:
            continue  # a router that was included; it is looked at itself
        methods = sorted(getattr(route, "methods", None) or {"WEBSOCKET"})
        written = re.sub(r":\w+\}", "}", path)  # as the document has it
        yield from ((method, written) for method in methods if method not in {"HEAD", "OPTIONS"})


async def answer(app: FastAPI, method: str, path: str, asker: Asker) -> str:
    """What the door and the route say to somebody, who leaves as soon as they answer."""
    socket = method == "WEBSOCKET"
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    # Of a body that is a list hardly any operation can be made: whoever is let in is told so.
    come = iter(
        [{"type": "websocket.connect"}] if socket else [{"type": "http.request", "body": b"[]", "more_body": False}]
    )

    async def receive() -> Any:
        if (message := next(come, None)) is not None:
            return message
        await asyncio.wait([told])
        return {"type": "websocket.disconnect", "code": 1000} if socket else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if not told.done():
            status = message.get("status", 101 if message["type"] == "websocket.accept" else 403)
            told.set_result(str(status) if status in {401, 403} else LET_IN)

    async with asyncio.timeout(120):
        await app(_scope(method, path, asker), receive, send)
    return told.result()


def _scope(method: str, path: str, asker: Asker) -> dict[str, Any]:
    filled = re.sub(r"\{[^}]+\}", "1", path)
    headers = [(b"host", b"127.0.0.1:8000"), (b"content-type", b"application/json"), (b"content-length", b"2")]
    if asker.secret:
        headers.append((b"authorization", f"Bearer {asker.secret}".encode()))
    extensions: dict[str, Any] = {"websocket.http.response": {}}
    if asker.known is not None:
        extensions[KNOWN] = asker.known
    kind = "websocket" if method == "WEBSOCKET" else "http"
    return {
        "type": kind,
        **({} if kind == "websocket" else {"method": method}),
        "path": filled,
        "raw_path": filled.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": (asker.address, 1),
        "server": ("127.0.0.1", 8000),
        "scheme": "ws" if kind == "websocket" else "http",
        "http_version": "1.1",
        "subprotocols": [],
        "extensions": extensions,
    }


def paths(system: IntegratedSystem) -> list[Path_]:
    """Every path as every asker: those of before there was a token first, then one of each role is made."""

    async def whole() -> list[Path_]:
        app = create_app(system)
        async with app.router.lifespan_context(app):
            served = routes(app)
            found = {one: [await answer(app, *one, Asker())] for one in served}
            secrets = {role: tokens.create(system, owner(), role, role).secret for role in ROLES}
            known = [Asker(), Asker(AWAY), *(Asker(AWAY, secrets[role]) for role in ROLES)]
            for one in served:
                found[one] += [await answer(app, *one, asker) for asker in known]
                if one[0] in {"POST", "DELETE"}:
                    by_process = [await answer(app, *one, Asker(known=Actor("me", role))) for role in ROLES]
                    assert by_process == found[one][-len(ROLES) :], f"{one}: another answer in the same process"
        return [Path_(*one, tuple(answers)) for one, answers in found.items()]

    return asyncio.run(whole())


# --- the pages


def screen_of(file: str, pages: Iterable[str]) -> str:
    """The page that a file of the screens belongs to.

    >>> [screen_of(name, ("runs", "dataset", "events")) for name in ("run", "dataset_acts", "event_list")]
    ['runs', 'dataset', 'events']
    """
    return next(page for page in pages if file.partition("_")[0].removesuffix("s") == page.removesuffix("s"))


def buttons() -> dict[str, set[str]]:
    """Operation -> the pages with a button that calls it."""
    from dashboard.shell import PAGES

    trees = {file.stem: ast.parse(file.read_text()) for file in sorted((ROOT / "dashboard" / "screens").glob("*.py"))}
    passing = {"act": 2}
    """Functions that make a button -> where among their arguments the operation stands."""
    found: dict[str, set[str]] = {}
    while True:
        wrappers = dict(passing)
        for name, tree in trees.items():
            for function, call in _calls(tree, wrappers):
                given = call.args[wrappers[ast.unparse(call.func)]]
                if isinstance(given, ast.Constant):
                    found.setdefault(str(given.value), set()).add(screen_of(name, PAGES))
                    continue
                assert isinstance(given, ast.Name), f"{name}: which operation is {ast.unparse(given)}?"
                assert function is not None
                passing[function.name] = [one.arg for one in function.args.args].index(given.id)
        if wrappers == passing:
            return found


def _calls(tree: ast.AST, wanted: Mapping[str, int]) -> Iterator[tuple[ast.FunctionDef | None, ast.Call]]:
    """Calls of the wanted functions, each with the function at the top of the file in which it stands."""
    for top in ast.iter_child_nodes(tree):
        for node in ast.walk(top):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in wanted:
                yield (top if isinstance(top, ast.FunctionDef) else None), node


def asked_for(operation: str) -> set[tuple[str, str]]:
    """Method and path of what `Client.operations.OPERATION` sends, with few arguments and with all."""
    sent: set[tuple[str, str]] = set()

    def noted(request: httpx.Request) -> httpx.Response:
        sent.add((request.method, request.url.path))
        return httpx.Response(200, json={})

    with Client("http://api.test", transport=httpx.MockTransport(noted)) as client:
        method = getattr(client.operations, operation)
        for whole in (False, True):
            positional, named = _arguments(method, whole=whole)
            with suppress(KeyError):  # an answer without anything in it
                method(*positional, **named)
    return sent


def _arguments(method: Callable[..., Any], *, whole: bool) -> tuple[list[Any], dict[str, Any]]:
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.default is not parameter.empty and not whole:
            continue
        kind = str(parameter.annotation)
        value: Any = 1 if "int" in kind or "float" in kind else {} if "Mapping" in kind else "1"
        if "Sequence" in kind:
            value = ["1"]
        if "bool" in kind:
            value = True
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[name] = value
        else:
            positional.append(value)
    return positional, named


def template_of(method: str, path: str, served: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """The path of the API that was asked for; one that is written out before one with a parameter."""
    fitting = [
        (method, one)
        for known, one in served
        if known == method and re.fullmatch(re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(one)), path)
    ]
    return min(fitting, key=lambda one: one[1].count("{"))


# --- the command line


def commands() -> dict[str, str]:
    """Command -> `operator` or `admin`, whose name it acts under; "": it acts under none."""
    import typer.main

    from cli.main import app

    return {path: _acts_as(callback) for path, callback in sorted(_leaves(typer.main.get_command(app)))}


def _leaves(command: Any, path: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    if getattr(command, "commands", None):
        if command.invoke_without_command:  # the program, `events`, `detect`: they do something alone, too
            yield path, inspect.unwrap(command.callback)
        for name, one in command.commands.items():
            yield from _leaves(one, f"{path} {name}".strip())
    else:
        yield path, inspect.unwrap(command.callback)


def _acts_as(function: Callable[..., Any]) -> str:
    """By the actors that it names, itself or in what it calls of the command line."""
    roles = {"local_user": "operator", "owner": "admin"}
    named = {roles[name] for name in _named(sys.modules[function.__module__].__file__ or "", function.__name__, set())}
    return max(named, key=("operator", "admin").index, default="")


def _named(file: str, function: str, seen: set[tuple[str, str]]) -> set[str]:
    if (file, function) in seen:
        return set()
    seen.add((file, function))
    tree = _parsed(file)
    tops = {top.name: top for top in tree.body if isinstance(top, ast.FunctionDef | ast.ClassDef)}
    if function not in tops:
        return set()
    imported = {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    found: set[str] = set()
    own = {node.arg for node in ast.walk(tops[function]) if isinstance(node, ast.arg)}
    for node in ast.walk(tops[function]):
        if not isinstance(node, ast.Name) or node.id in own:
            continue
        if node.id in tops:
            found |= _named(file, node.id, seen)
        elif node.id in imported:
            module, name = imported[node.id]
            if module == "operations.actor" and name in {"local_user", "owner"}:
                found.add(name)
            elif module.startswith("cli."):
                found |= _named(str(ROOT / f"{module.replace('.', '/')}.py"), name, seen)
    return found


@cache
def _parsed(file: str) -> ast.Module:
    return ast.parse(Path(file).read_text())


# --- the tables


def rendered(served: Iterable[Path_]) -> str:
    """The three tables, as they stand in docs/security.md between the marks."""
    served = list(served)
    known = {(one.method, one.path): one for one in served}
    return "\n\n".join((_paths_table(served), _pages_table(known), _commands_table()))


def _paths_table(served: Iterable[Path_]) -> str:
    rows = [(f"`{one.method} {one.path}`", *one.answers) for one in served]
    return _table(("path", *ASKERS), rows)


def _pages_table(known: Mapping[tuple[str, str], Path_]) -> str:
    from dashboard.shell import PAGES

    rows = [(PAGES[page][0], "looks", "", "viewer") for page in PAGES]
    for operation, pages in buttons().items():
        for method, path in sorted(asked_for(operation)):
            one = known[template_of(method, path, known)]
            least = next(role for role, got in zip(ROLES, one.answers[len(UNKNOWN) :], strict=True) if got == LET_IN)
            rows += [(PAGES[page][0], f"`{operation}`", f"`{one.method} {one.path}`", least) for page in pages]
    order = [title for title, _ in PAGES.values()]
    rows.sort(key=lambda row: (order.index(row[0]), row[1] != "looks", row[1:]))
    return _table(("page", "button", "path", "least role"), rows)


def _commands_table() -> str:
    rows = [(f"`{path}`" if path else "(none)", role or "–") for path, role in commands().items()]
    return _table(("command", "acts as"), rows)


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [" | ".join(heads)]
    lines.append(" | ".join("---" for _ in lines[0].split(" | ")))
    lines += [" | ".join(row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def configured(folder: Path) -> Installation:
    """An installation that can be asked as often as it takes."""
    made = Installation(folder)
    unbound = {"rate_limit": {"rate": 1e6, "burst": 1_000_000}}
    made.configure({"name": "orders", "collect": {"kind": "simulated"}}, api=unbound)
    return made


def on_the_page() -> str:
    """What docs/security.md says."""
    return PAGE.read_text().partition(BEGIN)[2].partition(END)[0].strip()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, configured(Path(folder)).system() as system:
        tables = rendered(paths(system))
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}")


if __name__ == "__main__":
    main()
