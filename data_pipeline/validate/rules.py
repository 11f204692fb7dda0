"""What must hold for a dataset: rules as they are declared, checked and filled in. Needs no Arrow.

A rule is one mapping of the configuration: its kind with the kind's argument, beside it (or inside it) what every rule
takes. A list of columns means one rule a column, but for `unique`.

>>> [rule.id for rule in parse_rule({"not_null": ["id", "mag"], "severity": "critical"})]
['not_null(id)', 'not_null(mag)']
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from data_pipeline.validate import arguments
from utils.expression.grammar import columns_of, parse_expression

__all__ = ["DIMENSIONS", "KINDS", "SEVERITIES", "Rule", "implied_type_rules", "parse_rule", "parse_rules"]

SEVERITIES = {"warning": 1.0, "error": 3.0, "critical": 5.0}
"""Severity -> default weight of a rule in the score."""

MOST_WEIGHT = 1_000_000
"""So that the sums of a score stay exact enough, and finite."""

KINDS = {
    "not_null": "completeness",
    "unique": "uniqueness",
    "range": "validity",
    "one_of": "validity",
    "matches": "validity",
    "format": "validity",
    "length": "validity",
    "type": "validity",
    "not_in_future": "timeliness",
    "fresh": "timeliness",
    "changed": "timeliness",
    "row_count": "volume",
    "aggregate": "consistency",
    "drift": "volume",
    "compare": "consistency",
    "monotonic": "consistency",
    "references": "consistency",
    "change": "consistency",
    "python": "consistency",
}
"""Kind of rule -> the dimension it is evidence for, unless it says otherwise."""

DIMENSIONS = ("completeness", "validity", "uniqueness", "consistency", "timeliness", "volume", "accuracy")

BATCH_KINDS = frozenset({"fresh", "changed", "row_count", "aggregate", "drift"})
"""Kinds that judge the batch as one; all others judge rows."""

_ONE_RULE = frozenset({"unique", "compare", "python", "row_count", "changed", "aggregate"})
"""Kinds of which all columns together are one rule; of others each column is."""

_WITHOUT_SEGMENTS = {
    "changed": "the content changes as a whole",
    "aggregate": "write it inside of `aggregate:`",
    "drift": "it holds the whole batch against the version before",
}
_COMMON = ("severity", "tolerance", "where", "by", "dimension", "weight", "id", "scope")
SCOPES = ("batch", "dataset")
"""What a rule looks at: the rows of a batch, or the whole stored table with the batch in it."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One thing that must hold. Equal when everything that was declared is equal (`1`, `1.0` and `true` differ).

    Attributes:
        columns: What it looks at; `compare`: the columns its expression names; `row_count`: none.
        tolerance: Share of the judged rows that may fail, 0..1.
        dimension: What it is evidence for; empty: the default of its kind.
        weight: In the score; negative: the default of its severity.
        params: The kind's own settings, checked; not to be changed.
        scope: `batch`, or `dataset`: the stored table with the batch in it; rows of it are told, never set aside.
        where: An expression: rows for which it is not true are not judged; empty: all are.
        by: Columns whose values divide the rows into segments, each judged by itself; none: there is one.
    """

    id: str
    kind: str
    columns: tuple[str, ...] = ()
    severity: str = "error"
    tolerance: float = 0.0
    dimension: str = ""
    weight: float = -1.0
    params: Mapping[str, Any] = field(default_factory=dict)
    scope: str = "batch"
    where: str = ""
    by: tuple[str, ...] = ()
    _fingerprint: str = field(init=False, default="", repr=False)

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        set_(self, "dimension", self.dimension or KINDS[self.kind])
        set_(self, "weight", self.weight if self.weight >= 0 else SEVERITIES[self.severity])

    @property
    def fingerprint(self) -> str:
        """Text that differs when anything of the rule differs; made at the first use: most are loaded, not run."""
        if not self._fingerprint:
            judged = (self.severity, self.tolerance, self.dimension, self.weight, self.scope, self.where, self.by)
            parts = (self.id, self.kind, self.columns, *judged, sorted(self.params.items()))
            object.__setattr__(self, "_fingerprint", repr(parts))
        return self._fingerprint

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Rule) and self.fingerprint == other.fingerprint)

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @property
    def reads(self) -> tuple[str, ...]:
        """All columns that it needs, each once: what it looks at, keys, and those of `where` and `by`."""
        if not (self.where or self.by or "by" in self.params):
            return self.columns
        of_where = columns_of(parse_expression(self.where)) if self.where else ()
        return tuple(dict.fromkeys((*self.columns, *self.params.get("by", ()), *of_where, *self.by)))

    @property
    def judges_rows(self) -> bool:
        return self.kind not in BATCH_KINDS

    @property
    def quarantines(self) -> bool:
        """Whether a row that breaks it is set aside: also within its tolerance."""
        return self.severity != "warning" and self.kind not in BATCH_KINDS and self.scope == "batch"


def parse_rule(raw: Mapping[str, Any]) -> list[Rule]:
    """The rules that one entry of `rules:` declares.

    Raises:
        ValueError: what is wrong with the entry, and the nearest known name.
    """
    if not isinstance(raw, Mapping):
        raise ValueError(f"a rule is a mapping such as `not_null: [id]`, not {raw!r}")
    kind, argument, common = _kind_of(raw)
    settings = dict(argument) if isinstance(argument, Mapping) else {arguments.SHORT_FORM[kind]: argument}
    for key in [key for key in settings if key in _COMMON and key not in arguments.KEYS[kind]]:
        if key in common:
            raise ValueError(f"rule `{kind}`: `{key}` is given twice, inside and beside `{kind}:`")
        common[key] = settings.pop(key)
    _refuse_unknown(settings, arguments.KEYS[kind], f"rule `{kind}`")
    try:
        columns, params = arguments.parse(kind, settings)
        declared = _common_of(kind, common)
    except ValueError as error:
        raise ValueError(f"rule `{kind}`: {error}") from error
    groups = [columns] if kind in _ONE_RULE else [(column,) for column in columns]
    return [_named(kind, group, params, declared, alone=len(groups) == 1) for group in groups]


def parse_rules(raw: Iterable[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """All rules of a dataset, in the order declared.

    Raises:
        ValueError: an entry is wrong (its number, from 1, comes first), or two rules have the same id.
    """
    rules: dict[str, Rule] = {}
    for number, entry in enumerate(raw, start=1):
        try:
            parsed = parse_rule(entry)
        except ValueError as error:
            raise ValueError(f"rules, entry {number}: {error}") from error
        for rule in parsed:
            if rule.id in rules:
                raise ValueError(f"rules, entry {number}: there is a rule `{rule.id}` already; give this one an `id`")
            rules[rule.id] = rule
    return tuple(rules.values())


def implied_type_rules(columns: Mapping[str, Any]) -> list[Rule]:
    """The `type` rules that a dataset's `columns:` block implies: one for each column that declares a type.

    A value is a type's name, a mapping with `type`, or an object with an attribute `type`.
    """
    rules = []
    for name, declared in columns.items():
        kind = declared.get("type") if isinstance(declared, Mapping) else getattr(declared, "type", declared)
        if kind:
            rules += parse_rule({"type": {"column": name, "is": kind}})
    return rules


def _kind_of(raw: Mapping[str, Any]) -> tuple[str, Any, dict[str, Any]]:
    kinds = [key for key in raw if key in KINDS]
    strangers = [str(key) for key in raw if key not in KINDS and key not in _COMMON]
    if strangers:
        what = "key" if kinds else "rule"
        raise ValueError(_unknown(what, strangers[0], _COMMON if kinds else KINDS, "in the rule" if kinds else ""))
    if len(kinds) != 1:
        found = "no kind" if not kinds else " and ".join(f"`{kind}`" for kind in kinds)
        raise ValueError(f"one rule has one kind, here is {found} (there are: {', '.join(KINDS)})")
    return kinds[0], raw[kinds[0]], {key: raw[key] for key in raw if key in _COMMON}


def _refuse_unknown(settings: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for key in settings:
        if key not in known:
            raise ValueError(_unknown("key", str(key), [*known, *_COMMON], f"in {where}"))


def _unknown(what: str, name: str, known: Iterable[str], where: str) -> str:
    known = list(known)
    near = get_close_matches(name, known, n=1)
    fix = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known)}"
    return f"unknown {what} `{name}`{' ' if where else ''}{where}; {fix}"


_NOTHING_IN_COMMON: dict[str, Any] = {
    "severity": "error",
    "tolerance": 0.0,
    "dimension": "",
    "weight": -1.0,
    "id": "",
    "scope": "batch",
    "where": "",
    "by": (),
}
"""What a rule is declared with that says none of it."""


def _common_of(kind: str, common: Mapping[str, Any]) -> dict[str, Any]:
    if not common:
        return _NOTHING_IN_COMMON
    severity = common.get("severity", "error")
    if not isinstance(severity, str) or severity not in SEVERITIES:
        raise ValueError(_unknown("severity", str(severity), SEVERITIES, ""))
    tolerance = arguments.number(common.get("tolerance", 0), "tolerance")
    if not 0 <= tolerance <= 1:
        raise ValueError(f"`tolerance` is a share of rows between 0 and 1 (5 % is 0.05), not {tolerance}")
    weight = arguments.number(common["weight"], "weight") if "weight" in common else -1.0
    if "weight" in common and weight < 0:
        raise ValueError(f"`weight` must be 0 or more, not {weight}")
    if weight > MOST_WEIGHT:
        raise ValueError(f"`weight` must be {MOST_WEIGHT:,} at most, not {weight}")
    dimension = common.get("dimension", "")
    if dimension and dimension not in DIMENSIONS:
        raise ValueError(_unknown("dimension", str(dimension), DIMENSIONS[:-1], ""))
    if dimension == "accuracy":
        raise ValueError("accuracy is not measured without a reference to compare with; choose another `dimension`")
    scope = common.get("scope", "batch")
    if scope not in SCOPES:
        raise ValueError(_unknown("scope", str(scope), SCOPES, ""))
    name = common.get("id", "")
    if not isinstance(name, str):
        raise ValueError(f"`id` must be text, not {name!r}")
    return {
        "severity": severity,
        "tolerance": float(tolerance),
        "dimension": dimension,
        "weight": float(weight),
        "id": name,
        "scope": scope,
        "where": _where(kind, common),
        "by": _by(kind, common),
    }


def _where(kind: str, common: Mapping[str, Any]) -> str:
    text = common.get("where", "")
    if "where" in common and kind == "changed":
        raise ValueError(f"takes no `where`: {_WITHOUT_SEGMENTS[kind]}")
    if not isinstance(text, str) or ("where" in common and not text.strip()):
        raise ValueError(f"`where` must be an expression such as \"state == 'paid'\", not {text!r}")
    if text:
        try:
            parse_expression(text)
        except ValueError as error:
            raise ValueError(f"`where`: {error}") from error
    return text


def _by(kind: str, common: Mapping[str, Any]) -> tuple[str, ...]:
    if "by" not in common:
        return ()
    if kind in _WITHOUT_SEGMENTS:
        raise ValueError(f"takes no `by`: {_WITHOUT_SEGMENTS[kind]}")
    return arguments.names(common["by"], "by")


def _named(
    kind: str, columns: tuple[str, ...], params: Mapping[str, Any], declared: Mapping[str, Any], *, alone: bool
) -> Rule:
    about = " ".join(params["expr"].split()) if "expr" in params else params.get("function") or ", ".join(columns)
    if kind == "aggregate" and params["by"]:
        about = f"{about} by {', '.join(params['by'])}"
    default = f"{kind}({about})" if about else kind
    if declared["scope"] == "dataset":
        default = f"{default} of the table"  # the same rule may stand for the batch too
    name = declared["id"] or default
    if declared["id"] and not alone:
        name = f"{name}({about})"  # one id for several columns: each rule needs its own
    return Rule(**{**declared, "id": name}, kind=kind, columns=columns, params=params)
