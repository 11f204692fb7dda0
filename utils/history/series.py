"""What a series is called: a name and labels. In the tables the labels are a text, the subject."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

__all__ = ["Series", "SeriesNameError", "checked", "labels_of", "subject_of"]

_NAME = re.compile(r"(?!__)[A-Za-z_][A-Za-z0-9_]{0,63}")
_DATASET = re.compile(r"[a-z0-9_-]{1,64}")
_LONGEST_VALUE = 200
_MOST_LABELS = 16


class SeriesNameError(ValueError):
    """A name or a label that cannot be kept. `hint` says what can."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Series:
    """One number over time. `newest`: epoch seconds of its last point; `unit`: as it was told, "" for none.

    >>> print(Series("orders_open", {"shop": "berlin"}))
    orders_open{shop="berlin"}
    """

    name: str
    labels: Mapping[str, str]
    unit: str = ""
    newest: float = field(default=float("nan"), compare=False)

    @property
    def subject(self) -> str:
        return subject_of(self.labels)

    def __str__(self) -> str:
        told = ",".join(f'{key}="{value}"' for key, value in sorted(self.labels.items()))
        return f"{self.name}{{{told}}}" if told else self.name


def subject_of(labels: Mapping[str, str]) -> str:
    """The labels as one text: a dataset's name for what belongs to a dataset, else JSON with sorted keys.

    >>> subject_of({"dataset": "fx_daily"}), subject_of({"shop": "berlin", "area": "a"}), subject_of({})
    ('fx_daily', '{"area":"a","shop":"berlin"}', '{}')
    """
    if len(labels) == 1 and _DATASET.fullmatch(labels.get("dataset", "")):
        return labels["dataset"]
    return orjson.dumps(dict(labels), option=orjson.OPT_SORT_KEYS).decode()


def labels_of(subject: str) -> dict[str, str]:
    """The way back.

    >>> labels_of("fx_daily"), labels_of('{"shop":"berlin"}')
    ({'dataset': 'fx_daily'}, {'shop': 'berlin'})
    """
    return dict(orjson.loads(subject)) if subject.startswith("{") else {"dataset": subject}


def checked(name: str, labels: Mapping[str, str]) -> None:
    """Refuse what could not be shown, asked for, or told to Prometheus.

    Raises:
        SeriesNameError: says which name, and what is allowed.
    """
    for what, text in (("metric", name), *(("tag", key) for key in labels)):
        if not isinstance(text, str) or not _NAME.fullmatch(text):
            hint = "A name begins with a letter and has letters, digits and `_` (at most 64)."
            raise SeriesNameError(f"{text!r} is no name for a {what}", hint=hint)
    if len(labels) > _MOST_LABELS:
        hint = f"At most {_MOST_LABELS}: each set of values is a series of its own."
        raise SeriesNameError(f"{name}: {len(labels)} tags are too many", hint=hint)
    for key, value in labels.items():
        if not isinstance(value, str) or not value or len(value) > _LONGEST_VALUE or not value.isprintable():
            hint = f"A tag's value is a text of 1 to {_LONGEST_VALUE} printable characters."
            raise SeriesNameError(f"{name}: tag {key}: {str(value)[:_LONGEST_VALUE]!r} cannot be kept", hint=hint)
