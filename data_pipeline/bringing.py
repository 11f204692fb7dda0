"""COLLECT and PARSE, once or piece by piece: what a question brings, as one batch."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from config.datasets import DatasetSettings
from data_pipeline.asking import Question
from data_pipeline.batch import Batch
from data_pipeline.collect.course import Course
from data_pipeline.collect.resilient import Asked, ResilientCollector
from data_pipeline.dataset import Collected
from data_pipeline.errors import PipelineError
from data_pipeline.parse.parse import parse
from data_pipeline.pieces import together
from utils.clock import Clock
from utils.resilience.deadline import deadline

__all__ = ["Answers", "Bringer", "Brought"]

NO_VALIDATORS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Answers:
    """What was collected: one answer, or one for each piece (with its key).

    `short`: why later pieces did not come; `missed`: the first of them, and its error.
    """

    pieces: tuple[tuple[str, Collected], ...]
    short: str = ""
    missed: tuple[str, PipelineError] | None = None

    @property
    def size(self) -> int:
        return sum(collected.provenance.size for _, collected in self.pieces)

    @property
    def not_modified(self) -> Collected | None:
        """The answer, when it says that nothing has changed."""
        return next((collected for _, collected in self.pieces if collected.not_modified), None)


@dataclass(frozen=True, slots=True)
class Brought:
    """Parsed rows.

    Attributes:
        pieces: Key and rows of each piece, in the order of the rows; None: the table has no pieces.
        newest: The last of the pieces that came whole, without one before it that did not.
    """

    batch: Batch
    pieces: tuple[tuple[str, int], ...] | None = None
    newest: str | None = None
    short: str = ""


class Bringer:
    """Asks the collector and parses what it brings. Thread-safe."""

    def __init__(self, collector: ResilientCollector, *, clock: Clock, memory_limit: int) -> None:
        self._collector = collector
        self._clock = clock
        self._memory_limit = memory_limit
        self.folder = collector.folder
        """Where temporary files are made."""

    def collect(
        self,
        dataset: DatasetSettings,
        question: Question,
        *,
        provider: str,
        now: datetime,
        number: int,
        course: Course | None = None,
    ) -> Answers:
        """All answers, within the dataset's deadline. Of several pieces those before the first that fails.

        Args:
            number: How many runs the dataset had before.
            course: Takes note of how it went.

        Raises:
            CollectError: nothing came.
        """

        def one(asked: Asked | None) -> Collected:
            return self._collector.collect(
                dataset,
                provider=provider,
                now=now,
                number=number,
                validators=dict(question.validators or NO_VALIDATORS),
                asked=asked,
                course=course,
            )

        with deadline(dataset.resilience.deadline, self._clock):
            if len(question.asked) == 1:
                asked = question.asked[0]
                return Answers(((_key(asked), one(asked)),))
            pieces: list[tuple[str, Collected]] = []
            for asked in question.asked:
                try:
                    pieces.append((_key(asked), one(asked)))
                except PipelineError as error:
                    if not pieces:
                        raise
                    key = _key(asked)
                    return Answers(tuple(pieces), f"{key} and what follows it did not come: {error}", (key, error))
            return Answers(tuple(pieces))

    def parse(self, dataset: DatasetSettings, question: Question, answers: Answers) -> Brought:
        """The answers as one batch.

        Raises:
            PayloadUnreadable: an answer is not what was promised.
        """
        batches = []
        try:
            for key, collected in answers.pieces:
                batches.append((key, self._parsed(dataset, collected)))
        finally:
            for _, collected in answers.pieces:
                collected.close()
        if dataset.partition is None:
            return Brought(_noted(batches[0][1], question.notes))
        batch, pieces = together(batches)
        newest = None
        for key, part in batches:
            if part.provenance.partial:
                break
            newest = key
        return Brought(batch, pieces, newest, answers.short)

    def _parsed(self, dataset: DatasetSettings, collected: Collected) -> Batch:
        return parse(
            collected,
            dataset=dataset.name,
            options=dataset.parse,
            columns=dataset.columns,
            zone=dataset.zone or "UTC",
            ambiguous=dataset.ambiguous,
            nonexistent=dataset.nonexistent,
            data_time=dataset.data_time,
            memory_limit=self._memory_limit,
        )


def _key(asked: Asked | None) -> str:
    return asked.partition.key if asked is not None and asked.partition is not None else ""


def _noted(batch: Batch, notes: tuple[str, ...]) -> Batch:
    if not notes:
        return batch
    return batch.with_provenance(replace(batch.provenance, notes=(*batch.provenance.notes, *notes)))
