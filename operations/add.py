"""From an address, a path or a table to a dataset that delivers: look at it once, write its block."""

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from config.datasets import NAME, DatasetSettings
from config.errors import ConfigError
from config.loading import SHIPPED, load
from data_pipeline.batch import Batch
from data_pipeline.dataset import Collected
from data_pipeline.discover.block import block
from data_pipeline.discover.findings import Finding
from data_pipeline.discover.look import Look, look
from data_pipeline.discover.source import NotASource, Source, source_of
from data_pipeline.errors import PayloadUnreadable, PipelineError
from data_pipeline.validate.engine import validate
from data_pipeline.validate.rules import parse_rule
from integrated_system import IntegratedSystem
from operations import dataset_file
from operations.actor import UsageError
from operations.dataset_file import target_of
from operations.sample import sample
from operations.try_dataset import tried
from utils.resilience.deadline import deadline
from utils.resilience.errors import RejectedError

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Added:
    """A dataset's block and what is in it.

    Attributes:
        yaml: The entry of `datasets`, with comments.
        rows: The first five, plain values.
        variables: Environment variables that the block needs; their values are not told.
        written: The file that holds the block now; None: it was only shown.
    """

    name: str
    block: dict[str, Any]
    yaml: str
    columns: dict[str, str]
    rows: list[dict[str, Any]]
    notes: tuple[str, ...]
    variables: tuple[str, ...]
    written: Path | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "block": self.block,
            "yaml": self.yaml,
            "columns": self.columns,
            "rows": self.rows,
            "notes": list(self.notes),
            "variables": list(self.variables),
            "written": str(self.written) if self.written else None,
        }


def shipped() -> Path:
    """The configuration that stands in where the user's does not exist yet. It is never written to."""
    return SHIPPED


def add(
    system: IntegratedSystem,
    typed: str,
    *,
    main: Path,
    environ: Mapping[str, str],
    name: str = "",
    query: str = "",
    url: str = "",
    timeout: float = TIMEOUT_S,
    write: bool = False,
) -> Added:
    """Fetch once, find out what it is, and make (or write) the block.

    Args:
        typed: An address, a path or pattern, a database with `#table`, or a query.
        main: The configuration file that the block is for; relative paths in the block start at it.
        timeout: Seconds for the fetch, all of it.

    Raises:
        UsageError: the argument or the name cannot be used.
        PipelineError: nothing usable came; the message says what came instead.
        ConfigError: the configuration is broken, or would be.
    """
    if main.exists() and main.resolve() == SHIPPED.resolve():
        raise UsageError("the shipped configuration is not written to", hint="name a file of yours with --config")
    taken = {dataset.name for dataset in system.settings.datasets} if main.exists() else set()
    _check_name(name, taken)
    cwd = Path.cwd()
    try:
        source = source_of(typed, name=name, query=query, url=url, here=cwd, base=cwd)
        name = name or _free(source.stem, taken)
        target = target_of(main, name)
        source = source_of(typed, name=name, query=query, url=url, here=cwd, base=target.file.parent)
    except (NotASource, ValueError) as error:
        raise UsageError(str(error), hint=getattr(error, "hint", "") or "check the address") from error
    with _without_secrets(source), _fetched(system, source, name, timeout) as collected:
        found = look(collected, dataset=name, now=system.clock.now())
        if any(note.startswith("stopped after max_pages") for note in collected.provenance.notes):
            why = "the answer names its next page in the Link header"
            found.layout.collect.append(Finding("paginate", {"kind": "link_header"}, why))
        found.rules = [rule for rule in found.rules if _holds(rule.rule, found.batch, system)]
        text = block(name, source.collect, found)
        settings = _checked(text, name, {**environ, **source.variables}, cwd)
        batch = _delivered(system, settings, collected)
        written = None
        if write:
            filled = {**environ, **source.variables}
            written = dataset_file.write(target, text, name, environ=filled, cwd=cwd)
    seen = sample(batch)
    return Added(
        name,
        _parsed(text),
        text,
        seen.columns,
        seen.rows,
        (*source.notes, *_worth_telling(found), *(written.notes if written else ())),
        tuple(source.variables),
        written.path if written else None,
    )


def _check_name(name: str, taken: set[str]) -> None:
    if name and not re.fullmatch(NAME, name):
        raise UsageError(f"--name {name}: a name has 1 to 64 of a-z, 0-9, _ and -", hint="choose another name")
    if name in taken:
        raise UsageError(f"there is a dataset `{name}` already", hint="choose another --name")


def _free(stem: str, taken: set[str]) -> str:
    """The stem, or the first of `stem_2`, `stem_3` that is free."""
    stem = stem[:64] or "dataset"
    number = 1
    found = stem
    while found in taken:
        number += 1
        found = f"{stem[: 63 - len(str(number))]}_{number}"
    return found


@contextmanager
def _fetched(system: IntegratedSystem, source: Source, name: str, timeout: float) -> Iterator[Collected]:
    collect = dict(source.fetch)
    if collect["kind"] == "http":
        # One page is enough, and asked like this the answer tells whether there are more.
        collect["paginate"] = {"kind": "link_header", "max_pages": 1}
    longest = f"{max(1, int(timeout * 1000))}ms"
    patience = {"timeout": {"connect": longest if timeout < 5 else "5s", "read": longest}, "deadline": longest}
    written = {"name": name, "collect": collect, "resilience": {**patience, "retry": {"attempts": 2}}}
    try:
        dataset = DatasetSettings.model_validate(written)
        dataset.complete(system.settings.defaults.dataset)
        dataset.place(Path.cwd())
        provider = system.collector.provider_of(dataset)
    except ValueError as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise UsageError(f"{name}: {reason}", hint="check what you typed") from error
    with deadline(timeout, system.clock):
        try:
            collected = system.collector.collect(
                dataset, provider=provider, now=system.clock.now(), number=0, validators={}
            )
        except RejectedError as error:
            raise PipelineError(f"{name}: {error}", hint=error.hint) from error
    try:
        yield collected
    finally:
        collected.close()


def _holds(rule: Mapping[str, Any], batch: Batch, system: IntegratedSystem) -> bool:
    rules = tuple(parse_rule(rule))
    return not validate(batch, rules, now=system.clock.now()).report.failed_rules()


def _checked(text: str, name: str, environ: Mapping[str, str], cwd: Path) -> DatasetSettings:
    """The block as the ordinary loader reads it, alone."""
    alone = {key: value for key, value in environ.items() if not key.startswith("ORCHESTRATOR_")}
    with tempfile.TemporaryDirectory(prefix="add-") as folder:
        path = Path(folder) / "block.yaml"
        path.write_text("datasets:\n" + dataset_file.indented(text, 2), encoding="utf-8")
        try:
            settings = load(path, environ=alone, cwd=cwd).settings
        except ConfigError as error:
            raise PipelineError(
                f"{name}: what was found cannot be written as configuration: {error.problems[0].message}",
                hint="please report this, with the address; `config init` shows how a dataset is written by hand",
            ) from error
    return settings.dataset(name)


def _delivered(system: IntegratedSystem, settings: DatasetSettings, collected: Collected) -> Batch:
    """The rows as the block reads them.

    Raises:
        PipelineError: they would not be delivered.
    """
    found = tried(system, settings, replace(collected, close=lambda: None))
    if not found.verdict.accepted and not collected.provenance.partial:
        raise PayloadUnreadable(
            f"{settings.name}: {found.verdict.reason}", hint="add it by hand; see docs/configuration.md"
        )
    return found.batch


def _worth_telling(found: Look) -> list[str]:
    """Notes but those that the block says itself."""
    return [note for note in found.notes if not note.startswith(("stopped after max_pages", "not UTF-8"))]


def _parsed(text: str) -> dict[str, Any]:
    import yaml

    (made,) = yaml.safe_load(text)
    return dict(made)


@contextmanager
def _without_secrets(source: Source) -> Iterator[None]:
    """Whatever goes wrong, its message does not hold what stands in the variables."""
    try:
        yield
    except (PipelineError, UsageError) as error:
        for name, secret in source.variables.items():
            if len(secret) >= 3:
                error.args = tuple(str(part).replace(secret, f"${{{name}}}") for part in error.args)
                error.hint = error.hint.replace(secret, f"${{{name}}}")
        raise
