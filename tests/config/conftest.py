"""Kinds made for these tests, and files written in one line."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from config import kinds
from config.loading import ConfigError, Loaded, Problem, load

FAKES = "tests.config.fakes:"


@pytest.fixture(autouse=True)
def _small_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"http": "HttpCollector", "file": "FileCollector", "simulated": "SimulatedCollector"}
    monkeypatch.setattr(kinds, "COLLECTORS", {kind: FAKES + name for kind, name in names.items()})
    monkeypatch.setattr(kinds, "PARSE_OPTIONS", f"{FAKES}ParseOptions")
    monkeypatch.setattr(kinds, "COLUMN_OPTIONS", f"{FAKES}ColumnOptions")
    monkeypatch.setattr(sys, "path", [*sys.path])  # `code:` adds to it
    monkeypatch.setattr(kinds, "RULE_PARSER", f"{FAKES}parse_rule")


Write = Callable[[str, Any], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file below `tmp_path`: text as it is, anything else as JSON."""

    def writer(name: str, content: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return writer


class House:
    """A folder with an `orchestrator.yaml`, loaded from inside it."""

    def __init__(self, folder: Path, write: Write) -> None:
        self.folder, self._write = folder, write

    def load(self, text: str, environ: Mapping[str, str] | None = None, **options: Any) -> Loaded:
        path = self._write("orchestrator.yaml", text)
        return load(path, environ=environ or {}, cwd=self.folder, **options)

    def problems(self, text: str, environ: Mapping[str, str] | None = None) -> list[Problem]:
        with pytest.raises(ConfigError) as caught:
            self.load(text, environ)
        return caught.value.problems

    def problem(self, text: str, environ: Mapping[str, str] | None = None) -> Problem:
        """The only problem there is."""
        (only,) = self.problems(text, environ)
        return only


@pytest.fixture
def house(tmp_path: Path, write: Write) -> House:
    return House(tmp_path, write)
