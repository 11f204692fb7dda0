"""Which table goes to which parameter of a user's function, and in which form."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_type_hints

from data_pipeline.user_function import Mismatch

__all__ = ["Arguments", "Form", "arguments"]

Form = Literal["frame", "table", "reader"]
"""A pandas frame, a `pyarrow.Table`, or a `pyarrow.RecordBatchReader`, which holds one part of the rows at a time."""

_FORMS: Mapping[str, Form] = {"Table": "table", "RecordBatchReader": "reader"}
_PLACES = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}


@dataclass(frozen=True, slots=True)
class Arguments:
    """How a function is called.

    Attributes:
        forms: Input -> the form that it wants it in.
        call: Calls it with the inputs, by name, in these forms.
    """

    forms: Mapping[str, Form]
    call: Callable[[Mapping[str, Any]], Any]


def arguments(function: Any, inputs: Sequence[str], offered: Mapping[str, Any]) -> Arguments:
    """Each input goes to the parameter of its name (`-` is `_`); the others to the parameters left, in their order.

    Of `offered` it gets what it has a parameter for that no input took.

    Raises:
        Mismatch: it has no place for an input, or wants more than there is.
    """
    if not callable(function):
        raise Mismatch(f"it is a {type(function).__name__}, not a function")
    signature = _signature(function)
    takes = signature.parameters
    named = {name.replace("-", "_"): name for name in inputs}
    given = {parameter: named[parameter] for parameter, one in takes.items() if parameter in named and _has_place(one)}
    left = [name for name in inputs if name not in given.values()]
    free = [name for name, one in takes.items() if _has_place(one) and name not in given and name not in offered]
    given |= dict(zip(free, left, strict=False))
    left = left[len(free) :]
    kinds = {one.kind: name for name, one in takes.items()}
    more = {}
    if left and inspect.Parameter.VAR_KEYWORD in kinds:
        more = {name.replace("-", "_"): name for name in left}
    elif left and inspect.Parameter.VAR_POSITIONAL not in kinds:
        raise _mismatch(function, signature, f"it has no parameter for {_listed(left)}")
    rest = [] if more else left
    others = {name: value for name, value in offered.items() if name in takes and name not in given}
    wanted = [
        name
        for name, one in takes.items()
        if _has_place(one) and one.default is one.empty and name not in given and name not in others
    ]
    if wanted:
        raise _mismatch(function, signature, f"nothing is there for {_listed(wanted)}")
    hints = _hints(function, takes)
    forms = {name: _form(hints.get(parameter)) for parameter, name in (given | more).items()}
    star = kinds.get(inspect.Parameter.VAR_POSITIONAL)
    forms |= {name: _form(hints.get(star or "")) for name in rest}
    forms |= {name: _form(hints.get(kinds.get(inspect.Parameter.VAR_KEYWORD, ""))) for name in more.values()}

    def call(values: Mapping[str, Any]) -> Any:
        by_name = {parameter: values[name] for parameter, name in given.items()} | others
        in_order = []
        for name, one in takes.items():
            # What stands before `*rest` can only be given by its position.
            if name in by_name and (
                one.kind is one.POSITIONAL_ONLY or (rest and one.kind is one.POSITIONAL_OR_KEYWORD)
            ):
                in_order.append(by_name.pop(name))
        in_order += [values[name] for name in rest]
        return function(*in_order, **by_name, **{key: values[name] for key, name in more.items()})

    return Arguments(forms, call)


def _has_place(parameter: inspect.Parameter) -> bool:
    return parameter.kind in _PLACES


def _signature(function: Any) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except ValueError as error:
        raise Mismatch("nothing tells which parameters it takes; call it from a function of your own") from error


def _hints(function: Any, takes: Mapping[str, inspect.Parameter]) -> Mapping[str, Any]:
    """The annotations; as text where a name in one of them is not there at run time."""
    try:
        return get_type_hints(function)
    except Exception:  # noqa: BLE001 - anything may stand in an annotation
        return {name: one.annotation for name, one in takes.items()}


def _form(annotation: Any) -> Form:
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return _FORMS.get(name.rpartition(".")[2].strip("'\""), "frame")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _mismatch(function: Any, signature: inspect.Signature, words: str) -> Mismatch:
    return Mismatch(f"{words}; it is declared as {getattr(function, '__name__', 'function')}{signature}")
