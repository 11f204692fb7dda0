"""Record a provider's answers to one dataset as a cassette, for tests."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from data_pipeline.asking import question
from data_pipeline.bringing import Bringer
from data_pipeline.collect.cassette import Recorder
from data_pipeline.collect.resilient import Asked
from data_pipeline.errors import PipelineError
from integrated_system import IntegratedSystem


@dataclass(frozen=True, slots=True)
class Recorded:
    """A cassette that was written. `failed`: why the collection did not come to its end; "" when it did."""

    dataset: str
    path: Path
    exchanges: int
    failed: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "path": str(self.path),
            "exchanges": self.exchanges,
            "failed": self.failed or None,
        }


def record(system: IntegratedSystem, name: str, output: Path) -> Recorded:
    """Collect a dataset once, from its beginning, and write every exchange to a file. Nothing else is stored.

    A provider that fails is recorded as well: that is what a test may want.

    Raises:
        ConfigError: no such dataset.
        PipelineError: it is not collected over HTTP, no exchange took place, or the file cannot be written.
    """
    dataset, now = system.settings.dataset(name), system.clock.now()
    if dataset.kind != "http":
        raise PipelineError(
            f"{name}: only answers over HTTP go on a cassette, and this dataset is of kind {dataset.kind}",
            hint="set `keep_raw` to keep what it brings, and `run --from-raw` to run it again",
        )
    recorder = Recorder(redacted=system.loaded.known.redacted)
    asked = question(dataset, None, now=now, fresh=True, full=False, ledger=dict)
    wanted = tuple(replace(each or Asked(), recorder=recorder) for each in asked.asked[-1:])
    bringer = Bringer(system.collector, clock=system.clock, memory_limit=system.settings.app.memory_limit)
    failed = ""
    try:
        provider = system.collector.provider_of(dataset)
        answers = bringer.collect(dataset, replace(asked, asked=wanted), provider=provider, now=now, number=0)
        for _, collected in answers.pieces:
            failed = failed or next(iter(collected.provenance.notes[-1:]), "") * collected.provenance.partial
            collected.close()
    except PipelineError as error:
        if not recorder.exchanges:
            raise
        failed = str(error)
    try:
        output.write_bytes(recorder.cassette(name, now).to_bytes())
    except OSError as error:
        raise PipelineError(f"{output}: {error.strerror or error}", hint="choose another --output") from error
    return Recorded(name, output, len(recorder.exchanges), failed)
