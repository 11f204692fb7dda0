"""Raw answers in the line: kept when they come, and brought again in place of the provider."""

from dataclasses import replace

from config.datasets import DatasetSettings
from data_pipeline.asking import Question
from data_pipeline.bringing import Answers
from data_pipeline.errors import StoreError
from data_pipeline.store.raw import Kept, Raw
from data_pipeline.store.views import Views
from utils.logger import get_logger

__all__ = ["Replaying"]


class Replaying:
    """Keeps the answers of datasets that ask for it, and replays those of a run. Thread-safe."""

    def __init__(self, raw: Raw, views: Views) -> None:
        self._raw = raw
        self._views = views

    def keep(self, dataset: DatasetSettings, run_id: str, question: Question, answers: Answers) -> Answers:
        """The answers; kept, if the dataset says `keep_raw`. What cannot be kept costs a note, not the delivery."""
        if dataset.keep_raw <= 0 or answers.not_modified is not None:
            return answers
        try:
            self._raw.keep(dataset.name, run_id, Kept(answers.pieces, question.complete, answers.short))
        except (StoreError, OSError) as error:
            get_logger("pipeline").warning("raw.not_kept", dataset=dataset.name, error=str(error))
            (key, first), *others = answers.pieces
            notes = (*first.provenance.notes, f"the raw answer was not kept: {error}")
            first = replace(first, provenance=replace(first.provenance, notes=notes))
            return replace(answers, pieces=((key, first), *others))
        return answers

    def again(self, dataset: DatasetSettings, run_id: str, question: Question) -> tuple[Question, Answers]:
        """What came in that run, and what it means for the table: the cursor does not go back.

        Raises:
            StoreError: nothing of that run is kept; or its rows stand in the table, and nothing tells which they are.
        """
        kept = self._raw.replay(dataset.name, run_id)
        accepted = [version for version in self._views.versions(dataset.name) if version.is_accepted]
        if dataset.write == "append" and not dataset.key and dataset.partition is None:
            content = {collected.provenance.content_sha256 for _, collected in kept.pieces}
            if any(v.version == run_id or v.body["content_sha256"] in content for v in accepted):
                raise StoreError(
                    f"{dataset.name}: the rows of run {run_id} were appended already and would stand there twice",
                    hint="declare `key`, by which they are replaced, or start the table anew with --full",
                )
        # What was all there is on that day says nothing of rows that came later: none of them was deleted.
        complete, notes = kept.complete, question.notes
        if complete and dataset.deletes != "keep" and any(version.version > run_id for version in accepted):
            complete = False
            notes = (*notes, f"newer rows than those of run {run_id} were accepted: its replay deletes none")
        question = replace(question, validators=None, complete=complete, replay=True, notes=notes)
        return question, Answers(kept.pieces, kept.short)
