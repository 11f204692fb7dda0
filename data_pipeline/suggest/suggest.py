"""From the rows of a dataset to the rules that they suggest: tried on what was not seen, with figures."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from data_pipeline.suggest.candidate import Candidate, Facts
from data_pipeline.suggest.completeness import completeness
from data_pipeline.suggest.keys import of_key, unique
from data_pipeline.suggest.neighbours import Neighbour, references
from data_pipeline.suggest.orders import orders
from data_pipeline.suggest.ranges import by_name, learned
from data_pipeline.suggest.sample import Sample
from data_pipeline.suggest.texts import texts
from data_pipeline.suggest.times import fresh, not_in_future
from data_pipeline.suggest.trying import outcomes, rule_of
from data_pipeline.validate.report import RuleOutcome
from data_pipeline.validate.rules import BATCH_KINDS, Rule
from data_pipeline.validate.surroundings import NOTHING_AROUND, Surroundings
from data_pipeline.validate.written import line_of
from utils.arrow import pa

if TYPE_CHECKING:
    from data_pipeline.batch import Batch

__all__ = ["Rows", "Suggested", "Suggestion", "suggest"]

ENOUGH_BATCHES = 3


class Rows(NamedTuple):
    """A version of the dataset.

    Attributes:
        batch: All its rows.
        sample: Some of them, where those are enough.
        now: When it was collected.
    """

    batch: "Batch"
    sample: Sample
    now: datetime


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A rule that held, and on how much.

    Attributes:
        rule: As it is written in the configuration.
        why: What was seen that suggests it.
        failed: Rows that broke it of the `of` that it judged, all that were looked at; a rule on a batch: 0 of 1.
        unseen_failed: The same of the `unseen` rows that nobody had looked at when it was thought of.
        before_failed: The same of the version before; `before` is None: there is none.
    """

    rule: dict[str, Any]
    why: str
    failed: int
    of: int
    unseen_failed: int
    unseen: int
    before_failed: int = 0
    before: int | None = None

    @property
    def line(self) -> str:
        """The entry on one line of YAML, without its dash."""
        return line_of(self.rule)

    @property
    def evidence(self) -> str:
        """On how much it held, in words."""
        (kind, *_) = self.rule
        share = 100 * (self.of - self.failed) / self.of if self.of else 100.0
        shown = "100" if not self.failed else f"{min(share, 99.99):.4g}"
        told = [] if kind in BATCH_KINDS else [f"holds on {shown} % of {_rows(self.of)}"]
        if self.unseen:
            told.append(f"held-out {_rows(self.unseen)}: {_failures(self.unseen_failed)}")
        if self.before and kind not in BATCH_KINDS:
            told.append(f"version before: {_failures(self.before_failed)}")
        elif self.before:
            told.append("the version before keeps it" if not self.before_failed else "the version before breaks it")
        return "; ".join(filter(None, [", ".join(told), self.why]))

    def to_json(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "yaml": f"- {self.line}",
            "why": self.why,
            "evidence": self.evidence,
            "failed": self.failed,
            "of": self.of,
            "held_out": {"failed": self.unseen_failed, "of": self.unseen},
            "version_before": None if self.before is None else {"failed": self.before_failed, "of": self.before},
        }


class Suggested(NamedTuple):
    """What the rows suggest.

    Attributes:
        dropped: Lines of rules that were thought of and did not hold on what was not seen, with the reason.
        declared: How many are declared already.
    """

    suggestions: tuple[Suggestion, ...]
    dropped: tuple[tuple[str, str], ...]
    declared: int


def suggest(
    table: Rows,
    facts: Facts,
    *,
    before: Rows | None = None,
    declared: Sequence[Rule] = (),
    neighbours: Iterable[Neighbour] = (),
    around: Surroundings = NOTHING_AROUND,
) -> Suggested:
    """Rules that held on the rows learned from, on those held out, and on the version before.

    Args:
        table: Uniqueness is judged on all its rows, for a sample hides what is sent twice; all else on the sample.
        declared: Rules that there are: they are not suggested again.
        around: Where `references` looks the values up.
    """
    thought_of = _thought_of(table.sample.learn, facts, neighbours, table.now)
    candidates, known = _new(thought_of, declared)
    suggestions, dropped = [], []
    for candidate, trial in zip(candidates, _trials(candidates, table, before, around), strict=True):
        if (reason := trial.objection()) is None:
            suggestions.append(trial.suggestion(candidate))
        else:
            dropped.append((line_of(candidate.rule), reason))
    return Suggested(tuple(suggestions), tuple(dropped), known)


class _Trial(NamedTuple):
    """How a candidate fared: on the rows that it was made from, on those held out, and on the version before."""

    seen: RuleOutcome
    unseen: RuleOutcome | None
    before: RuleOutcome | None

    def objection(self) -> str | None:
        """Why it is not shown; None: it held."""
        places = ("the rows seen", "rows not seen before", "the version before")
        for outcome, where in zip(self, places, strict=True):
            if outcome is not None and not outcome.passed:
                return f"{where}: {outcome.detail or f'{outcome.failed:,} of {outcome.of:,} break it'}"
        return None

    def suggestion(self, candidate: Candidate) -> Suggestion:
        unseen = (0, 0) if self.unseen is None else (self.unseen.failed, self.unseen.of)
        return Suggestion(
            dict(candidate.rule),
            candidate.why,
            self.seen.failed + unseen[0],
            self.seen.of + unseen[1],
            *unseen,
            before_failed=0 if self.before is None else self.before.failed,
            before=None if self.before is None else self.before.of,
        )


def _trials(
    candidates: Sequence[Candidate], table: Rows, before: Rows | None, around: Surroundings
) -> Iterator[_Trial]:
    """Each candidate's trial; all that can be judged in one pass are."""
    on_all = [candidate for candidate in candidates if _needs_all_rows(candidate)]
    on_some = [candidate for candidate in candidates if not _needs_all_rows(candidate)]
    sample, now = table.sample, table.now
    whole = _tried(on_all, table.batch, now, around)
    seen, unseen = _tried(on_some, sample.learn, now, around), _tried(on_some, sample.unseen, now, around)
    past: dict[int, RuleOutcome] = {}
    if before is not None:
        rows = pa.concat_tables([before.sample.learn, before.sample.unseen])
        past = {**_tried(on_some, rows, before.now, around), **_tried(on_all, before.batch, before.now, around)}
    for candidate in candidates:
        name = id(candidate)
        mine = _apart(whole[name], sample.learn.num_rows) if name in whole else (seen[name], unseen[name])
        yield _Trial(*mine, past.get(name))


def _apart(whole: RuleOutcome, learned: int) -> tuple[RuleOutcome, RuleOutcome | None]:
    """An outcome on all rows as one on those learned from and one on the others, if all of them passed."""
    if whole.failed or whole.kind in BATCH_KINDS:
        return whole, None
    first = min(whole.of, learned)
    return whole._replace(of=first), whole._replace(of=whole.of - first)


def _thought_of(rows: "pa.Table", facts: Facts, neighbours: Iterable[Neighbour], now: datetime) -> Iterator[Candidate]:
    """Every rule that comes to mind, the strictest of a kind first."""
    key = [name for name in facts.key if name in rows.schema.names]
    yield from of_key(key if len(key) == len(facts.key) else [])
    yield _some_rows(facts)
    yield from completeness(rows)
    yield from unique(rows, facts.key)
    links = list(references(rows, neighbours))
    yield from links
    yield from texts(rows, {*facts.key, *(candidate.rule["references"]["column"] for candidate in links)})
    bounds = list(learned(rows, facts.key))
    yield from bounds
    bounded = {candidate.rule["range"]["column"] for candidate in bounds}
    yield from by_name(rows, {*facts.key, *bounded})
    yield from orders(rows)
    yield from not_in_future(rows, now)
    yield from fresh(facts)


def _some_rows(facts: Facts) -> Candidate:
    """At least one row; with some batches to go by, between half of the smallest and twice the largest."""
    counts = facts.row_counts
    if len(counts) < ENOUGH_BATCHES or not min(counts):
        return Candidate({"row_count": {"min": 1}}, "an empty answer is no delivery")
    bounds = {"min": max(1, min(counts) // 2), "max": 2 * max(counts)}
    seen = f"{min(counts):,} to {max(counts):,}" if min(counts) != max(counts) else f"{min(counts):,}"
    return Candidate({"row_count": bounds, "severity": "warning"}, f"{len(counts)} batches had {seen} rows")


def _new(candidates: Iterable[Candidate], declared: Sequence[Rule]) -> tuple[list[Candidate], int]:
    """Those that say something that no declared rule speaks of, each once; and how many there are already."""
    there = {_about(rule) for rule in declared}
    found: dict[tuple[str, ...], Candidate] = {}
    known = 0
    for candidate in candidates:
        about = _about(rule_of(candidate))
        if about in there:
            known += 1
        else:
            found.setdefault(about, candidate)
    return list(found.values()), known


def _about(rule: Rule) -> tuple[str, ...]:
    text = "".join(rule.params["expr"].replace("`", "").split()) if rule.kind == "compare" else ""
    return (rule.kind, text, *([] if text else sorted(rule.columns)))


def _needs_all_rows(candidate: Candidate) -> bool:
    (kind, *_) = candidate.rule
    return kind in BATCH_KINDS or kind == "unique"


def _tried(
    candidates: Sequence[Candidate], rows: "pa.Table | Batch", now: datetime, around: Surroundings
) -> dict[int, RuleOutcome]:
    found = outcomes(candidates, rows, now=now, around=around)
    return {id(candidate): outcome for candidate, outcome in zip(candidates, found, strict=True)}


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _failures(count: int) -> str:
    return "1 failure" if count == 1 else f"{count:,} failures"
