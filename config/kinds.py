"""Kind name -> import path. Each kind's own options stand beside its code; a user's kind is `module:Class`.

Nothing of ours is imported here: what a path names is loaded when a configuration first asks for it.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel

from config.errors import Fault, shown

COLLECTORS: dict[str, str] = {
    "http": "data_pipeline.collect.http.http:HttpCollector",
    "file": "data_pipeline.collect.files.file:FileCollector",
    "host": "data_pipeline.collect.host:HostCollector",
    "simulated": "data_pipeline.collect.simulated:SimulatedCollector",
    "sql": "data_pipeline.collect.sql.sql:SqlCollector",
    "object_store": "data_pipeline.collect.files.object_store:ObjectStoreCollector",
    "python": "data_pipeline.collect.python.python:PythonCollector",
}
DERIVED, DERIVED_COLLECTOR = "derived", "data_pipeline.collect.derived.derived:DerivedCollector"
"""The kind of a dataset with `transform`: it is not written, and asks no provider."""
SINKS: dict[str, str] = {
    "file": "data_pipeline.publish.file:FileSink",
    "sql": "data_pipeline.publish.sql:SqlSink",
    "object_store": "data_pipeline.publish.object_store:ObjectStoreSink",
    "webhook": "data_pipeline.publish.webhook:WebhookSink",
}
PARSE_OPTIONS = "data_pipeline.parse.options:ParseOptions"
COLUMN_OPTIONS = "data_pipeline.parse.options:ColumnOptions"
RULE_PARSER = "data_pipeline.validate.rules:parse_rule"
DONE_PARSER = "data_pipeline.validate.done:parse_done"

LIMITED_KINDS = frozenset({"http", "sql", "object_store"})
"""Kinds whose providers get the default rate limit and bulkhead."""

_loaded: dict[str, Any] = {}


def load(target: str) -> Any:
    """The object that `module:name` names, imported once.

    Raises:
        ValueError: the module cannot be imported, or has no such name; the text says which and why.
    """
    found = _loaded.get(target)
    if found is None:
        found = _loaded[target] = _import(target)
    return found


def collector(kind: str) -> Any:
    """The collector class of `collect.kind`, or of datasets with `transform`.

    Raises:
        ValueError: no such kind; the text names the nearest one.
    """
    return load(DERIVED_COLLECTOR) if kind == DERIVED else _class(kind, COLLECTORS)


def collect_options(kind: str) -> type[BaseModel]:
    """The model of the keys that `collect.kind` takes."""
    return _options(kind, _class(kind, COLLECTORS), "A collector's")


def derived_options(function: str) -> BaseModel:
    """What is known of the function of a dataset with `transform`.

    Raises:
        ValueError: there is no such function.
    """
    made: BaseModel = load(DERIVED_COLLECTOR).Options.of(function)
    return made


def sink(kind: str) -> Any:
    """The class of `publish[].kind`.

    Raises:
        ValueError: no such kind; the text names the nearest one.
    """
    return _class(kind, SINKS)


def sink_options(kind: str) -> type[BaseModel]:
    """The model of the keys that a sink of this kind takes."""
    return _options(kind, sink(kind), "A sink's")


def parse_options() -> type[BaseModel]:
    """The model of a dataset's `parse` block."""
    model: type[BaseModel] = load(PARSE_OPTIONS)
    return model


def column_options() -> type[BaseModel]:
    """The model of one entry of a dataset's `columns` block."""
    model: type[BaseModel] = load(COLUMN_OPTIONS)
    return model


def rule_parser() -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    """What turns one entry of `rules` into rules; raises ValueError whose text names the fault."""
    parser: Callable[[Mapping[str, Any]], Sequence[Any]] = load(RULE_PARSER)
    return parser


def _import(target: str) -> Any:
    module_name, _, name = target.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise Fault(f"cannot import {shown(target)} ({reason})", hint="Is its folder listed under `code`?") from error
    return found


def _class(kind: str, known: dict[str, str]) -> Any:
    target = known.get(kind)
    if target is None:
        if ":" not in kind:
            near = get_close_matches(kind, known, n=1)
            suggestion = f"; did you mean `{near[0]}`?" if near else ""
            raise Fault(
                f"unknown kind {shown(kind)}{suggestion}",
                hint=f"Known kinds are {', '.join(known)}; a kind of your own is written `module:Class`.",
            )
        target = kind
    return load(target)


def _options(kind: str, found: Any, whose: str) -> type[BaseModel]:
    options = getattr(found, "Options", None)
    if not (isinstance(options, type) and issubclass(options, BaseModel)):
        raise Fault(f"{shown(kind)} has no `Options`", hint=f"{whose} class attribute `Options` is a pydantic model.")
    return options
