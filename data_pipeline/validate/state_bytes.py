"""States as bytes and back: for parts that are judged on other machines or were judged yesterday.

JSON and raw columns (`kernels/packing.py`), never pickle. They carry the version of the form, the fingerprints of the
rules, the moment, the types of the columns, the name of the part, and where keys are hashed the name of the hash. What
does not fit is refused in words, never merged on trust.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from data_pipeline.validate.kernels.binding import GATHERED
from data_pipeline.validate.kernels.gathered import Gathered
from data_pipeline.validate.kernels.packing import packed, unpacked
from data_pipeline.validate.plan import plan_of
from data_pipeline.validate.report import utc_text
from data_pipeline.validate.rules import Rule
from data_pipeline.validate.states import Part, Residue, RuleState, States
from utils.arrow import pa

if TYPE_CHECKING:
    from data_pipeline.batch import Batch

__all__ = ["VERSION", "states_from_bytes", "states_to_bytes"]

VERSION = 1
"""Of the form; another one is refused."""

_FORM = "quality-states"


def states_to_bytes(states: States) -> bytes:
    """All that is known, but for the rows themselves. Holds no values, but those of keys that are numbers or times."""
    gathered = [state.gathered.to_bytes() for state in states.of_rules if state.gathered is not None]
    masks = [mask for residue in states.residues for _, mask in sorted(residue.masks.items())]
    figures = {
        "form": _FORM,
        "version": VERSION,
        "now": utc_text(states.now),
        "rules": [[rule.id, _fingerprint(rule)] for rule in states.rules],
        "rows": states.rows,
        "of_rules": [
            [state.failed, state.of, state.gathered is not None, sorted(state.problems)] for state in states.of_rules
        ],
        "parts": [
            {
                "name": part.name,
                "columns": part.columns,
                "chunks": [[r.rows, sorted(r.masks), sorted(r.unparsed)] for r in part.residues],
            }
            for part in states.parts
        ],
    }
    return packed(figures, [*gathered, *map(_bits, masks)])


def states_from_bytes(data: bytes, rules: Sequence[Rule], *, batches: "Mapping[str, Batch] | None" = None) -> States:
    """The states that `states_to_bytes` wrote.

    Args:
        rules: Those that the states were made by; they are compared.
        batches: Name of a part -> its rows, as far as they are at hand. Needed to judge only where keys occur again.

    Raises:
        ValueError: it is something else or damaged, of another version, or was made by other rules.
    """
    figures, blobs = unpacked(data)
    if figures.get("form") != _FORM:
        raise ValueError("these bytes are no states of rules")
    if figures["version"] != VERSION:
        raise ValueError(
            f"these states have form {figures['version']}, here form {VERSION} is read; observe the part anew"
        )
    for rule, (name, fingerprint) in zip(rules, figures["rules"], strict=False):
        if _fingerprint(rule) != fingerprint:
            raise ValueError(f"these states were made by another rule `{name}` than today's `{rule.id}`; observe anew")
    if len(rules) != len(figures["rules"]):
        raise ValueError(f"these states were made by {len(figures['rules'])} rules, here are {len(rules)}")
    now = datetime.fromisoformat(figures["now"])
    left = iter(blobs)
    of_rules = []
    for rule, (failed, of, has_gathered, problems) in zip(rules, figures["of_rules"], strict=True):
        gathered = _state_of(rule).from_bytes(bytes(next(left))) if has_gathered else None
        of_rules.append(RuleState(failed, of, gathered, frozenset(problems)))
    parts = tuple(
        [_part(found, tuple(rules), now, left, (batches or {}).get(found["name"])) for found in figures["parts"]]
    )
    return States(tuple(rules), now, figures["rows"], tuple(of_rules), parts)


def _part(
    found: Mapping[str, Any], rules: tuple[Rule, ...], now: datetime, left: Iterator[memoryview], batch: "Batch | None"
) -> Part:
    residues = []
    for rows, marked, unparsed in found["chunks"]:
        masks = {index: _mask(rows, next(left)) for index in marked}
        residues.append(Residue(rows, masks, frozenset(unparsed)))
    columns = tuple([(name, type_) for name, type_ in found["columns"]])
    again = None if batch is None else plan_of(rules, batch.schema).again(batch, now)
    return Part(columns, tuple(residues), again, found["name"])


def _state_of(rule: Rule) -> type[Gathered]:
    if not rule.by:
        return GATHERED[rule.kind].state
    from data_pipeline.validate.kernels.portions import state_by

    return state_by(rule)


def _fingerprint(rule: Rule) -> str:
    return hashlib.sha256(rule.fingerprint.encode()).hexdigest()[:32]


def _bits(mask: "pa.BooleanArray") -> bytes:
    import numpy as np

    return np.packbits(mask.to_numpy(zero_copy_only=False), bitorder="little").tobytes()


def _mask(rows: int, bits: memoryview) -> "pa.BooleanArray":
    return pa.Array.from_buffers(pa.bool_(), rows, [None, pa.py_buffer(bytes(bits))])
