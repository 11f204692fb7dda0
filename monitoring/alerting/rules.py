"""A rule: which event opens an incident, which one ends it, how urgent that is, and who is told."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from config.alerts import AlertRuleSettings, AlertsSettings
from config.errors import Fault
from monitoring.alerting.condition import Condition, compiled
from monitoring.alerting.incident import Severity
from monitoring.alerting.known_types import about, known, unknown
from utils.event_patterns import matches
from utils.expression.words import ExpressionError

__all__ = ["Clear", "Escalation", "Rule", "faults", "names", "rules_of"]

GroupBy = Literal["provider", "dataset", "rule"]


class Clear(NamedTuple):
    """An event that ends it, for the same subject; `condition`: only when this holds of its data."""

    type: str
    condition: Condition | None = None

    @classmethod
    def read(cls, text: str) -> "Clear":
        """From `TYPE` or `TYPE if EXPRESSION`. Raises ExpressionError."""
        kind, _, condition = text.partition(" if ")
        return cls(kind.strip(), compiled(condition) if condition else None)


class Escalation(NamedTuple):
    """Who else is told when nobody acknowledged within `after_s` seconds of the first notice."""

    after_s: float
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule, ready for use. Seconds are float.

    Attributes:
        clears: What ends it. None at all: see `is_moment`.
        condition: Must be true of the event's data. Without `clears` it is over once it is false.
        to: Channels; empty: all.
        repeat_s: Seconds after which it is told again; None: once.
        hours: The name of those in which it is told.
        by: Fields of the data that tell things of one subject apart.
        joins: It opens no incident; it is listed in one that is open, or opens.
        digest: It opens no incident; once a day it is told together with all of its kind.
        later: Only what comes of a later run ends it.
    """

    name: str
    when: str
    severity: Severity
    clears: tuple[Clear, ...] = ()
    condition: Condition | None = None
    for_s: float = 0.0
    consecutive: int = 1
    to: tuple[str, ...] = ()
    group_by: GroupBy = "provider"
    repeat_s: float | None = None
    escalate: Escalation | None = None
    hours: str | None = None
    by: tuple[str, ...] = ()
    joins: bool = False
    digest: bool = False
    later: bool = False

    @property
    def ends_when_false(self) -> bool:
        """Whether an event of its own type for which the condition is false ends it."""
        return self.condition is not None and not self.clears

    @property
    def is_moment(self) -> bool:
        """Whether it is over when it was not seen for an hour: nothing else ends it, or may never come.

        A run, an order or whatever else a subject names may never be told of again.
        """
        return not self.clears and (self.condition is None or about(self.when) == "installation")


def rules_of(settings: AlertsSettings, shipped: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules of a configuration: the shipped ones, but those for whose event it has its own, and these."""
    own = settings.rules
    kept = [rule for rule in shipped if not any(matches(one.when, rule.when) for one in own)]
    made = [_rule(one, name) for one, name in zip(own, names(own), strict=True) if one.enabled]
    return (*kept, *made)


def names(rules: Sequence[AlertRuleSettings]) -> list[str]:
    """What these are called: as they say or else as their event is; the second of a name is `dataset.failed #2`."""
    found: list[str] = []
    for one in rules:
        name = wanted = one.name or one.when
        number = 1
        while name in found:
            number += 1
            name = f"{wanted} #{number}"
        found.append(name)
    return found


def _rule(one: AlertRuleSettings, name: str) -> Rule:
    kind = known(one.when)
    clears = (one.clear,) if one.clear is not None else kind.clear
    return Rule(
        name=name,
        when=one.when,
        severity=one.severity,
        clears=tuple(map(Clear.read, clears)),
        condition=compiled(one.if_) if one.if_ else None,
        for_s=one.for_,
        consecutive=one.consecutive,
        to=tuple(one.to),
        group_by=one.group_by,
        repeat_s=None if one.repeat == "off" else one.repeat,
        escalate=None if one.escalate is None else Escalation(one.escalate.after, tuple(one.escalate.to)),
        hours=one.hours,
        by=kind.by,
        later=kind.later and one.clear is None,
    )


def faults(rules: Sequence[AlertRuleSettings]) -> Iterator[tuple[int, str, Fault]]:
    """What is wrong with the events, expressions and names of rules: the position, the key, the fault."""
    from monitoring.alerting.shipped import SHIPPED  # it is made of what stands here

    shipped = {rule.name: rule.when for rule in SHIPPED}
    for position, one in enumerate(rules):
        if one.name in shipped and not matches(one.when, shipped[one.name]):
            hint = "Choose another name."
            told = f"`{one.name}` is the name of the shipped rule for `{shipped[one.name]}`"
            yield position, "name", Fault(told, hint=hint)
        found = unknown(one.when)
        if found is not None:
            yield position, "when", Fault(found, hint=_TYPES_HINT)
        elif one.if_ and (fault := _fault_of(one.if_, one.when)):
            yield position, "if", fault
        if one.clear is not None:
            yield from ((position, "clear", fault) for fault in _faults_of_clear(one.clear))
        if one.for_ and found is None and not (one.clear or one.if_ or known(one.when).clear):
            hint = "Name in `clear` the event that ends it, or say with `if` when it is so."
            yield position, "for", Fault(f"nothing ends `{one.when}`, so it lasts for ever", hint=hint)


_TYPES_HINT = "docs/events.md lists the types; those of your plug-ins are known by their own names."


def _faults_of_clear(text: str) -> Iterator[Fault]:
    kind, _, condition = text.partition(" if ")
    if found := unknown(kind.strip()):
        yield Fault(found, hint=_TYPES_HINT)
    elif " if " in text and (fault := _fault_of(condition, kind.strip())):
        yield fault


def _fault_of(text: str, kind: str) -> Fault | None:
    """What is wrong with an expression over the data of events of a type."""
    try:
        condition = compiled(text)
    except ExpressionError as error:
        return Fault(str(error), hint="Such as `rows < 10 and not partial`; text stands in single quotes.")
    fields = known(kind).fields
    for name in condition.fields:
        if fields and name.partition(".")[0] not in fields:
            near = _nearest(name, fields)
            hint = f"It has {', '.join(fields)}."
            return Fault(
                f"events {kind} have no field `{name}`" + (f"; did you mean `{near}`?" if near else ""), hint=hint
            )
    return None


def _nearest(name: str, fields: Sequence[str]) -> Any:
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, fields, n=1)), None)
