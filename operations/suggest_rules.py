"""Rules learned from what a dataset delivered so far, ready to be pasted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from config.datasets import DatasetSettings
from data_pipeline.errors import PipelineError, StoreError
from data_pipeline.store.views import Version
from integrated_system import IntegratedSystem

if TYPE_CHECKING:
    from data_pipeline.suggest.candidate import Facts
    from data_pipeline.suggest.neighbours import Neighbour
    from data_pipeline.suggest.sample import Sample
    from data_pipeline.suggest.suggest import Rows, Suggestion

MOST_BATCHES = 30
"""Batches whose numbers of rows and ages are remembered."""

ENOUGH_ROWS = 100
"""Rows below which most kinds of rules would be chance."""

MOST_NEIGHBOURS = 100
"""Columns of other datasets that are looked at for references."""


@dataclass(frozen=True, slots=True)
class SuggestedRules:
    """What the accepted rows of a dataset suggest.

    Attributes:
        version: The version that was learned from, and `rows` how many it has.
        learned: Rows that candidates were made from; `held_out`: rows that they were tried on.
        before: The version before, on which they were tried too; None: there is none.
        dropped: Rules that came to mind and did not hold on what was not seen, each with the reason.
        declared: How many of those that came to mind are declared already.
    """

    dataset: str
    version: str
    rows: int
    learned: int
    held_out: int
    before: str | None
    suggestions: "tuple[Suggestion, ...]"
    dropped: tuple[tuple[str, str], ...]
    declared: int

    @property
    def yaml(self) -> str:
        """The rules as they are pasted into the dataset, each with its evidence; what is said is in comments."""
        taken = f"learned from {self.learned:,} of {self.rows:,} rows, tried on {self.held_out:,} others"
        past = " and on the version before" if self.before else ""
        lines = [f"# {self.dataset}: {taken}{past}"]
        if self.learned < ENOUGH_ROWS:
            lines.append(f"# Few rows: most kinds of rules are learned from {ENOUGH_ROWS} or more")
        if self.declared:
            lines.append(f"# {self.declared} more are declared already")
        lines.append("rules:" if self.suggestions else "rules: []")
        lines += [f"  - {line}  # {_printable(evidence)}" for line, evidence in _lines(self.suggestions)]
        if self.dropped:
            lines.append("# These came to mind too, and did not hold:")
            lines += [f"#   - {_printable(f'{line}  # {reason}')}" for line, reason in self.dropped]
        return "\n".join(lines) + "\n"

    def to_json(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "version": self.version,
            "rows": self.rows,
            "learned": self.learned,
            "held_out": self.held_out,
            "version_before": self.before,
            "suggestions": [one.to_json() for one in self.suggestions],
            "dropped": [{"yaml": f"- {line}", "reason": reason} for line, reason in self.dropped],
            "declared": self.declared,
            "yaml": self.yaml,
        }


def suggest_rules(system: IntegratedSystem, name: str) -> SuggestedRules:
    """Learn rules from the table that readers get, and try them on what was not learned from. Changes nothing.

    Memory: a sample of two million cells, and what `unique` rules need for all rows.

    Raises:
        ConfigError: no such dataset.
        PipelineError: nothing of it was accepted yet.
        StoreError: its rows cannot be read.
    """
    from data_pipeline.store.surroundings import Neighbours
    from data_pipeline.suggest.suggest import suggest

    dataset = system.settings.dataset(name)
    version = system.results.last_good(system.views.current_of(name))
    if version is None:
        raise PipelineError(
            f"{name}: nothing was accepted yet, so there is nothing to learn from", hint=f"run it: `run {name}`"
        )
    accepted = _accepted(system, version)
    before = next((one for one in accepted[1:] if system.results.damage(one) is None), None)
    table = _rows(system, version)
    declared = (*system.pipeline.rules_of(dataset), *(rule for rule in dataset.rules if rule.scope == "dataset"))
    around = Neighbours(system.distinct, system.results, system.views, system.settings).of(name, version)
    found = suggest(
        table,
        _facts(dataset, table, accepted),
        before=None if before is None else _rows(system, before),
        declared=declared,
        neighbours=list(_neighbours(system, dataset, table.sample)),
        around=around,
    )
    sample = table.sample
    return SuggestedRules(
        name,
        version.version,
        sample.rows,
        sample.learn.num_rows,
        sample.unseen.num_rows,
        None if before is None else before.version,
        *found,
    )


def _accepted(system: IntegratedSystem, version: Version) -> list[Version]:
    """The version and the accepted ones before it, newest first."""
    found = [one for one in system.views.versions(version.dataset) if one.state == "accepted"]
    return [version, *[one for one in found if one.version < version.version][:MOST_BATCHES]]


def _rows(system: IntegratedSystem, version: Version) -> "Rows":
    from data_pipeline.dataset import Provenance
    from data_pipeline.suggest.sample import sample_of
    from data_pipeline.suggest.suggest import Rows

    collected_at = datetime.fromisoformat(version.body["collected_at"])
    provenance = Provenance(version.body["provider"], collected_at)
    batch = system.results.batch(version.path, provenance, memory_limit=system.settings.app.memory_limit)
    return Rows(batch, sample_of(batch.batches(), batch.schema, batch.rows), collected_at)


def _facts(dataset: DatasetSettings, table: "Rows", accepted: list[Version]) -> "Facts":
    from data_pipeline.discover.keys import key_of
    from data_pipeline.discover.times import time_of
    from data_pipeline.suggest.candidate import Facts

    learn = table.sample.learn
    time = dataset.data_time if dataset.data_time in learn.schema.names else time_of(learn, table.now)[0]
    key = tuple(dataset.key) or key_of(learn, time)[0]
    counts = tuple(int(one.body["report"]["rows"]) for one in accepted) if dataset.write == "replace" else ()
    return Facts(key, time, counts, None if time is None else _beat(table, time, accepted))


def _beat(table: "Rows", time: str, accepted: list[Version]) -> tuple[str, str] | None:
    """How old the newest row may be: by the distances between rows, and by how old it was whenever it was collected."""
    from data_pipeline.discover.times import rhythm_of, written

    rhythm = rhythm_of(table.sample.learn, time, table.now)
    if rhythm is None or not rhythm.regular or rhythm.usual <= 0 or rhythm.age < 0:
        return None
    ages = [age for one in accepted if (age := _age(one)) is not None]
    oldest = max([rhythm.age, *ages])
    within = max(rhythm.promise, 1.5 * oldest)
    if oldest > 10 * rhythm.promise:
        return None  # rows of long ago: their beat says nothing of how fresh they are meant to be
    why = f"a new row about every {written(rhythm.usual)}, the newest was {written(max(1.0, oldest))} old at most"
    return written(within), why


def _age(version: Version) -> float | None:
    """How old the data was when it was collected, in seconds."""
    if not version.body.get("data_time"):
        return None
    age: timedelta = datetime.fromisoformat(version.body["collected_at"]) - datetime.fromisoformat(
        version.body["data_time"]
    )
    return max(0.0, age.total_seconds())


def _neighbours(system: IntegratedSystem, dataset: DatasetSettings, sample: "Sample") -> "Iterator[Neighbour]":
    """Columns that recognise the rows of other datasets: their key; without one, what is called as a column of ours."""
    from data_pipeline.store.distinct import NotDelivered
    from data_pipeline.suggest.neighbours import Neighbour

    left = MOST_NEIGHBOURS
    for other in system.settings.datasets:
        if other.name == dataset.name:
            continue
        try:
            version = system.distinct.version(other.name)
            theirs = system.results.schema(version.path).names
            named = [name for name in (*sample.learn.schema.names, "id") if name in theirs]
            for column in other.key if len(other.key) == 1 else dict.fromkeys(named):
                left -= 1
                values = system.distinct.values(version, column)
                if len(values) == version.rows:
                    yield Neighbour(other.name, column, values)
                if not left:
                    return
        except (NotDelivered, StoreError):
            continue  # nothing to refer to there


def _lines(suggestions: "Sequence[Suggestion]") -> Iterator[tuple[str, str]]:
    """Each rule on a line with its evidence; columns that are complete alike share one."""
    from data_pipeline.validate.written import line_of

    for (kind, evidence), alike in groupby(suggestions, lambda one: (next(iter(one.rule)), one.evidence)):
        found = list(alike)
        columns = [one.rule[kind] for one in found if len(one.rule) == 1]
        if kind == "not_null" and len(columns) == len(found) > 1:
            yield line_of({kind: columns}), evidence
        else:
            yield from ((one.line, evidence) for one in found)


def _printable(text: str) -> str:
    """What stands in a comment; a provider's words must not end the line."""
    return "".join(sign if sign.isprintable() else "·" for sign in text)
