"""The Prometheus text format 0.0.4: names, escaping, numbers.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import re
from collections.abc import Iterator, Sequence

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_LABEL_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})


def check_name(name: str) -> str | None:
    """What is wrong with a metric's name, in words; `None` when it is right."""
    return None if _NAME.fullmatch(name) else "a name is letters, digits, _ and :, and does not start with a digit"


def check_labels(labels: Sequence[str]) -> str | None:
    """What is wrong with label names, in words; `None` when they are right."""
    for label in labels:
        if not _LABEL.fullmatch(label):
            return f"label {label!r}: letters, digits and _, not starting with a digit or __"
    return None if len(set(labels)) == len(labels) else "the same label twice"


def labelled(names: Sequence[str], values: Sequence[str]) -> str:
    """`{label="value",…}`, escaped; nothing without labels.

    >>> print(labelled(("path", "status"), ('a"b', "2xx")))
    {path="a\\"b",status="2xx"}
    """
    return layout(names) % escaped(values)


def layout(names: Sequence[str]) -> str:
    """The same with `%s` for each value: `layout(names) % escaped(values)`."""
    pairs = ",".join(f'{name}="%s"' for name in names)
    return pairs and f"{{{pairs}}}"


def escaped(values: Sequence[str]) -> tuple[str, ...]:
    """Label values as they are written."""
    for value in values:
        if "\\" in value or '"' in value or "\n" in value:  # hardly any has one, and to look is cheaper
            return tuple([value.translate(_LABEL_ESCAPES) for value in values])
    return tuple(values)


def prefix_lines(name: str, text: str, kind: str) -> Iterator[str]:
    """The HELP (when there is a text) and TYPE lines."""
    if text:
        yield f"# HELP {name} {text.translate(_HELP_ESCAPES)}"
    yield f"# TYPE {name} {kind}"


def number(value: float) -> str:
    """A float as the format writes it: `3`, `0.5`, `+Inf`, `-Inf`, `NaN`."""
    try:
        whole = int(value)
    except ValueError:
        return "NaN"
    except OverflowError:
        return "+Inf" if value > 0 else "-Inf"
    return str(whole) if whole == value and -1e15 < value < 1e15 else repr(float(value))
