"""The blocks of a dataset that other code knows better: `collect`, `parse`, `columns`, `rules`.

Each validator hands the block to its kind's own model, found by `config.kinds`. While a file is loaded, equal blocks
share one result: the validation context is then a `Shared`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError, ValidationInfo

from config import kinds
from config.errors import Fault, Faults, KeyPath, shown

Found = list[tuple[KeyPath, ValueError, type | None]]


class Shared(dict[tuple[str, str | bytes], Any]):
    """Blocks already validated in this load, by what they are and how they were written."""


def transform(value: Any, info: ValidationInfo) -> Any:
    """The `Options` of a derived dataset's function, written `module:function`; None: it is not derived."""
    if value is None or isinstance(value, BaseModel):
        return value
    if not isinstance(value, str):
        raise Fault(f"expected `module:function`, got {shown(value)}", hint="Write it like: transform: my_sums:daily.")
    if info.data.get("depends_on") == ():
        raise Fault("needs `depends_on`", hint="Name the datasets whose tables it is given: `depends_on: [orders]`.")
    return _shared("transform", value, kinds.derived_options, info)


def collect(value: Any, info: ValidationInfo) -> Any:
    """The `Options` instance of the block's kind; None: the dataset is made of others (`transform`)."""
    derived = info.data.get("transform", ...)
    if value is None and derived is not None:
        return None
    if value is None:
        hint = "Add `collect`: where the rows come from; or `transform`, with `depends_on`: of what they are made."
        raise Fault("is missing", hint=hint)
    if derived is not None and derived is not ...:
        hint = "Take one of them: `collect` asks a provider, `transform` is given the tables of other datasets."
        raise Fault("does not go with `transform`", hint=hint)
    if isinstance(value, BaseModel):
        return value
    if not isinstance(value, dict):
        raise Fault(
            f"expected a map such as `{{kind: file, path: data.csv}}`, got {shown(value)}",
            hint="`collect` says where the rows come from.",
        )
    return _shared("collect", value, _collect, info)


def parse(value: Any, info: ValidationInfo) -> Any:
    """A `ParseOptions`; nothing written gives its defaults."""
    if isinstance(value, BaseModel):
        return value
    if value is None:
        return default_parse()
    if not isinstance(value, dict):
        raise Fault(f"expected a map such as `{{format: csv}}`, got {shown(value)}")
    return _shared("parse", value, _parse, info)


def default_parse() -> Any:
    """The `ParseOptions` of a dataset that has no `parse` block. One object for all: it is frozen."""
    model = kinds.parse_options()
    if _default_parse.get("model") is not model:
        _default_parse.update(model=model, options=model())
    return _default_parse["options"]


_default_parse: dict[str, Any] = {}


def columns(value: Any, info: ValidationInfo) -> Any:
    """New name -> `ColumnOptions`; `name: float` is short for `name: {type: float}`."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Fault(
            f"expected a map such as `{{price: float}}`, got {shown(value)}", hint="Keys are the columns' new names."
        )
    if any(type(column) not in (str, dict) and isinstance(column, BaseModel) for column in value.values()):
        return value
    return _shared("columns", value, partial(_columns, info=info), info)


def rules(value: Any, info: ValidationInfo) -> Any:
    """The rules of all entries, in order."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise Fault(
            f"expected a list of rules, got {shown(value)}", hint="Begin every rule with a dash: `- not_null: [id]`."
        )
    if any(type(one) is not dict and not isinstance(one, Mapping | str | int | float | list | None) for one in value):
        return tuple(value)  # rules that were made in Python
    return _shared("rules", value, partial(_rules, info=info), info)


def publish(value: Any, info: ValidationInfo) -> Any:
    """The `Options` of every sink, in order."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise Fault(
            f"expected a list of sinks, got {shown(value)}",
            hint="Begin every sink with a dash: `- {kind: file, path: out.parquet}`.",
        )
    if any(isinstance(sink, BaseModel) for sink in value):
        return tuple(value)
    return _shared("publish", list(value), _publish, info)


def _shared(block: str, value: Any, build: Callable[[Any], Any], info: ValidationInfo) -> Any:
    cache = info.context
    if not isinstance(cache, Shared):
        return build(value)
    try:
        key = (block, value if type(value) is str else orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS))
    except TypeError:  # integers beyond 64 bit, very deep nesting: no sharing
        return build(value)
    made = cache.get(key)
    if made is None:
        made = cache[key] = build(value)
    return made


def _collect(value: dict[str, Any]) -> Any:
    if "kind" not in value:
        raise Faults([(("kind",), Fault("is missing", hint=f"Known kinds are {', '.join(kinds.COLLECTORS)}."), None)])
    kind = value["kind"]
    try:
        if not isinstance(kind, str):
            raise Fault(f"expected a kind such as `http`, got {shown(kind)}")
        model = kinds.collect_options(kind)
    except ValueError as error:
        raise Faults([(("kind",), error, None)]) from error
    if "kind" not in model.model_fields:
        value = {key: item for key, item in value.items() if key != "kind"}
    return _validated(model, value, ())


def _parse(value: dict[str, Any]) -> Any:
    return _validated(kinds.parse_options(), value, ())


def _columns(value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    model = kinds.column_options()
    made: dict[str, Any] = {}
    found: Found = []
    for name, column in value.items():
        try:
            if not isinstance(column, str | dict):
                hint = "Write a type, or a map such as `{from: Old name, type: float}`."
                raise Faults(
                    [((name,), Fault(f"expected a type such as `float`, got {shown(column)}", hint=hint), None)]
                )
            made[name] = _shared("column", column, partial(_column, model), info)
        except ValidationError as error:
            found.append(((name,), error, model))
        except Faults as faults:
            found += faults.found
    if found:
        raise Faults(found)
    return made


def _column(model: type[BaseModel], value: str | dict[str, Any]) -> Any:
    return model.model_validate({"type": value} if isinstance(value, str) else value)


def _rules(value: list[Any], info: ValidationInfo) -> tuple[Any, ...]:
    parse_rule = kinds.rule_parser()
    made: list[Any] = []
    ids: set[Any] = set()
    found: Found = []
    for position, entry in enumerate(value):
        try:
            if not isinstance(entry, dict):
                raise Fault(f"expected a rule such as `not_null: [id]`, got {shown(entry)}")
            for rule in _shared("rule", entry, parse_rule, info):
                identity = getattr(rule, "id", None)
                if identity is not None and identity in ids:
                    raise Fault(f"there is a rule {shown(identity)} already", hint="Give one of the two an `id`.")
                ids.add(identity)
                made.append(rule)
        except ValueError as error:
            model = None if not isinstance(error, ValidationError) else BaseModel
            found.append(((position,), error, model))
    if found:
        raise Faults(found)
    return tuple(made)


def _publish(value: list[Any]) -> tuple[Any, ...]:
    made: list[Any] = []
    found: Found = []
    for position, entry in enumerate(value):
        try:
            if isinstance(entry, dict) and "kind" not in entry:
                hint = f"Known kinds are {', '.join(kinds.SINKS)}."
                raise Faults([((position, "kind"), Fault("is missing", hint=hint), None)])
            if not isinstance(entry, dict) or not isinstance(entry["kind"], str):
                raise Fault(f"expected a sink such as `{{kind: file, path: out.parquet}}`, got {shown(entry)}")
            made.append(_validated(_sink_options(entry["kind"], position), entry, (position,)))
        except Faults as faults:
            found += faults.found
        except ValueError as error:
            found.append(((position,), error, None))
    if found:
        raise Faults(found)
    return tuple(made)


def _sink_options(kind: str, position: int) -> type[BaseModel]:
    try:
        return kinds.sink_options(kind)
    except ValueError as error:
        raise Faults([((position, "kind"), error, None)]) from error


def _validated(model: type[BaseModel], value: Any, place: KeyPath) -> Any:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise Faults([(place, error, model)]) from error
