"""The line for ONE piece of a table, from the provider to the gate's verdict. Nothing is written yet."""

from dataclasses import dataclass, replace

from config.datasets import DatasetSettings
from data_pipeline.asking import Question
from data_pipeline.bringing import Bringer, Brought
from data_pipeline.collect.placeholders import Partition
from data_pipeline.collect.resilient import Asked
from data_pipeline.errors import PipelineError, UnexpectedError
from data_pipeline.judging import Judged, Rules, judged
from data_pipeline.replaying import Replaying
from data_pipeline.row_spool import spooling_in
from data_pipeline.store.gate import Verdict
from data_pipeline.store.results import Results
from data_pipeline.store.surroundings import Neighbours
from data_pipeline.store.views import Version, Views
from utils.clock import Clock
from utils.logger import get_logger
from utils.turn import turn

__all__ = ["Came", "Failed", "PieceLine"]


@dataclass(frozen=True, slots=True)
class Came:
    """A piece that came and was judged. `version`: the id of the version that it becomes if it is stored alone."""

    key: str
    brought: Brought
    judged: Judged
    version: str

    @property
    def accepted(self) -> bool:
        return self.judged.verdict.accepted


@dataclass(frozen=True, slots=True)
class Failed:
    """A piece that did not come."""

    key: str
    error: PipelineError


class PieceLine:
    """Brings pieces of one dataset. Thread-safe.

    A copy is never served in their place, and a piece of which only a part arrived is held.
    """

    def __init__(
        self,
        dataset: DatasetSettings,
        *,
        provider: str,
        bringer: Bringer,
        results: Results,
        neighbours: Neighbours,
        replaying: Replaying,
        views: Views,
        clock: Clock,
    ) -> None:
        self.dataset = dataset
        self.provider = provider
        self.rules = Rules.of(dataset)
        self._bringer = bringer
        self._results = results
        self._neighbours = neighbours
        self._replaying = replaying
        self._views = views
        self._clock = clock

    @property
    def alone(self) -> bool:
        """Whether each piece needs a version of its own: a rule on the whole table judges it, or its answer is kept."""
        return bool(self.rules.of_table) or self.dataset.keep_raw > 0

    def bring(self, piece: Partition, last_good: Version | None, *, version: str, number: int) -> Came:
        """Collect, parse and judge a piece.

        Args:
            last_good: What readers see: its columns are the contract.
            version: The id of the version that it becomes if it is stored alone.
            number: How many collections there were before.

        Raises:
            PipelineError: it did not come, or is not what was promised.
            Cancelled: the work was called off.
        """
        try:
            with spooling_in(self._bringer.folder):
                return self._bring(piece, last_good, version, number)
        except PipelineError:
            raise
        except Exception as error:
            name = self.dataset.name
            get_logger("pipeline").error("piece.unexpected", dataset=name, piece=piece.key, exc=error)
            raise UnexpectedError(
                f"{name}: internal error: {type(error).__name__}: {error}",
                hint="logs/pipeline.log has the details; please report them",
            ) from error

    def _bring(self, piece: Partition, last_good: Version | None, version: str, number: int) -> Came:
        dataset, now = self.dataset, self._clock.now()
        asked = Asked(partition=piece, full=True, ledger=lambda: self._views.ledger(dataset.name))
        question = Question((asked,), complete=False)
        answers = self._bringer.collect(dataset, question, provider=self.provider, now=now, number=number)
        answers = self._replaying.keep(dataset, version, question, answers)
        with turn(answers.size):
            brought = self._bringer.parse(dataset, question, answers)
            content = brought.batch.provenance.content_sha256
            found = judged(
                brought,
                dataset,
                self.rules.of_batch,
                question,
                last_good,
                now=now,
                around=self._neighbours.of(dataset.name, last_good, content=content, pieces=(piece.key,)),
                columns_of=lambda version: self._results.schema(version.path),
                pieces_of=lambda _: {piece.key},
            )
        if brought.batch.provenance.partial and found.verdict.accepted:
            found = replace(found, verdict=Verdict(accepted=False, reason=found.verdict.reason))
        return Came(piece.key, brought, found, version)
