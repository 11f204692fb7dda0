"""One recommendation for each rule that a batch broke: what is wrong, where, since when, and the line to paste."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from data_pipeline.advice.past import Earlier, shares, since
from data_pipeline.advice.patterns import Finding, file, place, segment, time, together, value
from data_pipeline.advice.words import batch_text, look_at, percent, rows_text, segments_text, tolerance
from data_pipeline.validate.report import Report, RuleOutcome
from data_pipeline.validate.rules import BATCH_KINDS, Rule
from data_pipeline.validate.written import entry_of, line_of
from data_pipeline.yaml_line import flow

if TYPE_CHECKING:
    from data_pipeline.advice.gathering import Base, Breaches
    from utils.arrow import pa

__all__ = ["Advice", "Rows", "advise"]

_ORDER = ("critical", "error", "warning")

MOST_RULES = 50
"""Broken rules whose rows are looked at, the worst ones; of the others only the report speaks."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about one broken rule.

    Attributes:
        rule: Its id.
        kind: Its kind.
        text: Everything in words, the findings included.
        findings: What its rows have in common, each as a sentence.
        paste: One line for the configuration, an entry of `rules` or a key of the dataset; "": there is none.
        saves: Rows that were set aside and would be delivered if this rule alone were mended, or with the line pasted
            where it takes values in; None: the rows were not looked at.
    """

    rule: str
    kind: str
    severity: str
    failed: int
    of: int
    text: str
    findings: tuple[Finding, ...] = ()
    paste: str = ""
    saves: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "kind": self.kind,
            "severity": self.severity,
            "failed": self.failed,
            "of": self.of,
            "text": self.text,
            "findings": [finding._asdict() for finding in self.findings],
            "paste": self.paste,
            "saves": self.saves,
        }


@dataclass(frozen=True, slots=True)
class Rows:
    """What else is known beside the rows that were set aside.

    Attributes:
        good: The good rows of the batch; None: too many to look at, and nothing is said by comparing.
        warned: Rows that broke a warning, with `_rules`.
        time: The column of the rows' own time; "": none.
        files: Of how many files the batch consists.
        na_values: What the dataset reads as no value already; None: its cells are no text.
    """

    good: "Iterable[pa.RecordBatch] | None" = None
    warned: "Iterable[pa.RecordBatch]" = ()
    time: str = ""
    files: int = 1
    na_values: Sequence[str] | None = ()


def advise(
    report: Report,
    rows: "Iterable[pa.RecordBatch] | None" = None,
    earlier: Sequence[Earlier] = (),
    *,
    rules: Mapping[str, Rule] = {},
    beside: Rows = Rows(),
) -> list[Advice]:
    """Advice on every rule that something broke, worst first; the same for the same batch, whatever its split.

    Memory: some thousand values for each of at most `MOST_RULES` rules, whatever the number of rows.

    Args:
        rows: The rows that were set aside, with `_rules` and `_row`; None: only the report speaks.
        earlier: The reports of the batches before, newest first.
        rules: Id -> rule as it is declared now, for the lines to paste.
    """
    broken = [outcome for outcome in report.outcomes if outcome.failed]
    broken.sort(key=lambda o: (o.passed, _ORDER.index(o.severity), -o.failed / o.of, o.rule))
    if not broken:
        return []
    base: Base | None = None
    seen: Mapping[str, Breaches] = {}
    if rows is not None:
        from data_pipeline.advice.gathering import Gathering

        gathering = Gathering(broken[:MOST_RULES], rows=report.rows, time=beside.time)
        gathering.good(beside.good or ())
        gathering.bad(rows)
        gathering.warned(beside.warned)
        base, seen = gathering.base, gathering.of
    told = []
    for outcome in broken:
        rule = rules.get(outcome.rule)
        mine = seen.get(outcome.rule)
        made = _Made(outcome, rule, earlier, report)
        if base is not None and mine is not None and mine.rows and outcome.kind not in BATCH_KINDS:
            made.look(mine, base, report.rows, beside)
        told.append(made.advice())
    return told


class _Made:
    """One piece of advice while it is put together."""

    def __init__(self, outcome: RuleOutcome, rule: Rule | None, earlier: Sequence[Earlier], report: Report) -> None:
        self._outcome = outcome
        self._rule = rule
        self._earlier = earlier
        self._report = report
        self._findings: list[Finding] = []
        self._fix = self._paste = ""
        self._saves: int | None = None

    def look(self, found: "Breaches", base: "Base", rows: int, beside: Rows) -> None:
        """What the rows say."""
        outcome = self._outcome
        if outcome.severity != "warning":
            self._saves = found.alone
        when = time(found, base)
        change = self._mended(found)
        if change is None:
            self._take_in(found)
        self._read_as_nothing(found, beside.na_values)
        patterns = [
            value(outcome, found),
            None if self._paste else change,
            file(found, files=beside.files),
            segment(outcome, found, base),
            when,
            None if when is not None else place(found, rows=rows),
            together(found),
        ]
        self._findings = [finding for finding in patterns if finding is not None]

    def advice(self) -> Advice:
        outcome = self._outcome
        if (past := since(outcome, self._earlier)) is not None:
            self._findings.append(past)
        if not _speaks_of_rows(outcome):
            sentences = [f"{outcome.rule}: {batch_text(outcome)}"]
        else:
            share = outcome.failed / outcome.of
            noun = f"{outcome.failed} of {outcome.of} rows ({percent(share)})"
            sentences = [f"{outcome.rule}: {noun} {look_at(outcome)}", segments_text(outcome)]
        sentences += [finding.text for finding in self._findings]
        if _speaks_of_rows(outcome):
            sentences += [self._saved(), self._fix or self._tolerated()]
        else:
            sentences.append(self._loosened())
        sentences = [sentence for sentence in sentences if sentence]
        if len(sentences) > 1 and not sentences[0].endswith((".", "?")):
            sentences[0] += "."
        return Advice(
            outcome.rule,
            outcome.kind,
            outcome.severity,
            outcome.failed,
            outcome.of,
            " ".join(sentences),
            tuple(self._findings),
            self._paste,
            self._saves,
        )

    def _mended(self, found: "Breaches") -> Finding | None:
        if self._rule is None:
            return None
        from data_pipeline.advice.mending import mended

        return mended(self._rule, found)

    def _take_in(self, found: "Breaches") -> None:
        """A list of values that lacks a few: the list with them in it."""
        rule = self._rule
        if rule is None or rule.kind != "one_of":
            return
        new = [one for one, count in found.values.top(3) if count >= max(2, found.rows / 10)]
        if sum(count for one, count in found.values.counts.items() if one in new) < found.rows / 2:
            return
        entry = entry_of(rule, params={**rule.params, "values": (*rule.params["values"], *new)})
        if entry is None:
            return
        self._paste = f"- {line_of(entry)}"
        self._saves = None if self._saves is None else sum(found.values_alone.counts.get(one, 0) for one in new)
        these = "it is a value" if len(new) == 1 else "these are values"
        self._fix = f"If {these} that you want, write the rule so: `{self._paste}`"

    def _read_as_nothing(self, found: "Breaches", known: Sequence[str] | None) -> None:
        """Words for "no value" that the parser does not know yet."""
        if known is None:
            return
        from data_pipeline.advice.mending import placeholders

        new = [text for text in placeholders(self._outcome.kind, found) if text not in known]
        if not new:
            return
        self._paste = f"parse: {flow({'na_values': [*known, *new]})}"
        counts = found.values_alone.by(str)
        self._saves = None if self._saves is None else sum(counts.get(one, 0) for one in new)
        self._fix = f"If that stands for no value, say so: `{self._paste}`"

    def _saved(self) -> str:
        if self._saves is None or self._saves == self._outcome.failed:
            return ""
        if not self._saves:
            said = any(
                finding.kind == "together" and finding.rows == self._outcome.failed for finding in self._findings
            )
            return "" if self._fix or said else "All of them broke another rule too."
        return f"Mended, this alone gives back {rows_text(self._saves)}."

    def _tolerated(self) -> str:
        """The tolerance with which the same batch would pass, and the worst of those before that were as bad."""
        outcome = self._outcome
        if outcome.passed:
            return "This is within its tolerance."
        apart = [one.failed / one.of for one in outcome.segments.worst] if outcome.segments else []
        worst = max([outcome.failed / outcome.of, *apart, *shares(outcome, self._earlier)])
        allowed = tolerance(worst)
        entry = None if self._rule is None else entry_of(self._rule, tolerance=allowed)
        self._paste = f"tolerance: {flow(allowed)}" if entry is None else f"- {line_of(entry)}"
        return f"If that is normal here, add to the rule: `tolerance: {allowed}`"

    def _loosened(self) -> str:
        """The rule as this batch would keep it, where a figure decides."""
        rule = self._rule
        if rule is None or self._outcome.passed:
            return ""
        from data_pipeline.advice.loosening import loosened

        params = loosened(rule, self._outcome, self._report)
        entry = None if params is None else entry_of(rule, params=params)
        if entry is None:
            return ""
        self._paste = f"- {line_of(entry)}"
        return f"If that is normal here, write the rule so: `{self._paste}`"


def _speaks_of_rows(outcome: RuleOutcome) -> bool:
    """Whether rows broke it; not where the whole batch did, or the rule could not judge at all and says why."""
    silent = outcome.segments is None and outcome.detail and outcome.failed == outcome.of
    return outcome.kind not in BATCH_KINDS and not silent
