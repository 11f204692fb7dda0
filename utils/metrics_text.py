"""The Prometheus text format 0.0.4: names, escaping, numbers.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence

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


def labelled(name: str, labels: Mapping[str, str]) -> str:
    """`name{label="value",…}`, escaped; only `name` without labels.

    >>> print(labelled("rows_total", {"path": 'a"b'}))
    rows_total{path="a\\"b"}
    """
    if not labels:
        return name
    pairs = ",".join(f'{key}="{value.translate(_LABEL_ESCAPES)}"' for key, value in labels.items())
    return f"{name}{{{pairs}}}"


def prefix_lines(name: str, text: str, kind: str) -> Iterator[str]:
    """The HELP (when there is a text) and TYPE lines."""
    if text:
        yield f"# HELP {name} {text.translate(_HELP_ESCAPES)}"
    yield f"# TYPE {name} {kind}"


def number(value: float) -> str:
    """A float as the format writes it: `3`, `0.5`, `+Inf`, `-Inf`, `NaN`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))
