"""The configuration that ships with the program: it loads, and every dataset has a copy that keeps its own rules."""

import csv
import hashlib
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config.loading import load
from data_pipeline.collect.files.file import FileCollector
from data_pipeline.collect.simulated import SimulatedCollector
from data_pipeline.fallback import snapshot_batch
from data_pipeline.score import score
from data_pipeline.validate.rules import implied_type_rules
from tests.data_pipeline.collect.requests import make_request

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "config" / "orchestrator.yaml"
NOW = datetime(2026, 6, 1, tzinfo=UTC)

ROWS = {"earthquakes": 1707, "github_issues": 13, "fx_aud": 808, "fx_1998": 180, "this_host": 1, "orders": 200}


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    loaded = load(EXAMPLE, environ={}, cwd=tmp_path_factory.mktemp("cwd"))
    return {dataset.name: dataset for dataset in loaded.settings.datasets}


def rules_of(dataset: Any) -> list[Any]:
    """The rules as declared, and those that the columns' types imply."""
    return [*dataset.rules, *implied_type_rules(dataset.columns)]


def test_it_has_every_kind_of_source(datasets: dict[str, Any]) -> None:
    """Two public HTTP APIs and a rate table, a file, this host, and a provider that fails now and then."""
    assert {name: dataset.kind for name, dataset in datasets.items()} == {
        "earthquakes": "http",
        "github_issues": "http",
        "fx_aud": "http",
        "fx_1998": "file",
        "this_host": "host",
        "orders": "simulated",
    }


@pytest.mark.parametrize("name", sorted(ROWS))
def test_every_snapshot_keeps_the_rules_of_its_dataset(datasets: dict[str, Any], name: str) -> None:
    """Parsed as the dataset is; a provider's normal gaps cost no points, and no row is set aside."""
    dataset = datasets[name]
    batch, validation = snapshot_batch(dataset, rules_of(dataset), now=NOW)
    report = validation.report
    assert (batch.rows, report.quarantined, report.failed_rules()) == (ROWS[name], 0, ())
    assert score(report).score == pytest.approx(100.0)
    assert set(dataset.columns) <= set(batch.schema.names)


@pytest.mark.parametrize("name", sorted(ROWS))
def test_every_dataset_says_what_it_is_and_promises_nothing_that_its_snapshot_breaks(
    datasets: dict[str, Any], name: str
) -> None:
    """A description, three to eight rules, a short deadline, no promise of freshness."""
    dataset = datasets[name]
    assert len(dataset.description) > 20
    assert 3 <= len(dataset.written["rules"]) <= 8
    assert dataset.promise.max_age is None
    assert not [rule for rule in rules_of(dataset) if rule.kind == "fresh"]
    assert dataset.resilience.deadline <= 15
    assert dataset.resilience.timeout.connect <= 3


def test_the_file_it_collects_is_there(datasets: dict[str, Any], tmp_path: Path) -> None:
    """A relative path starts at the configuration, wherever the program is started."""
    dataset = datasets["fx_1998"]
    request = make_request(dataset.collect, tmp_path, base=dataset.base, provider="file")
    assert FileCollector().collect(request).provenance.size == 117_615


def test_the_simulated_snapshot_is_what_the_provider_sends(datasets: dict[str, Any], tmp_path: Path) -> None:
    """Last resort and delivery hold the same orders."""
    dataset = datasets["orders"]
    options = dataset.collect.model_copy(update={"failure_rate": 0.0, "latency": 0.0})
    collected = SimulatedCollector().collect(make_request(options, tmp_path, provider="orders"))
    assert collected.rows is not None
    sent = [row for batch in collected.rows() for row in batch.to_pylist()]
    copy, _ = snapshot_batch(dataset, rules_of(dataset), now=NOW)
    assert [row for batch in copy.batches() for row in batch.to_pylist()] == sent


def test_snapshots_hold_only_what_their_licence_allows() -> None:
    """The RBA's own series under CC BY 4.0; what it has from others (see the Source row) is not there."""
    text = (ROOT / "config" / "snapshots" / "rba_fx_daily.csv").read_text("utf-8-sig")
    source = next(row for row in csv.reader(io.StringIO(text)) if row and row[0] == "Source")
    assert set(source[1:]) == {"RBA"}


@pytest.mark.parametrize(
    ("file", "sha256"),
    [
        ("usgs_earthquakes_week.geojson", "a42702a83ffbae679f95d1fa53e2cae0bae13b21e599a68cdd50a44fc52129f7"),
        ("bundesbank_fx_dec_1998.csv", "504e8d47af9e21d0aebce6337e65087b85bc96a2367ab68da61bdbbf67f80e07"),
    ],
)
def test_the_bytes_of_the_providers_were_left_alone(file: str, sha256: str) -> None:
    """No editor, no line-end conversion touched them."""
    assert hashlib.sha256((ROOT / "config" / "snapshots" / file).read_bytes()).hexdigest() == sha256


def test_every_snapshot_is_attributed() -> None:
    """Each file stands in the table of sources and terms."""
    folder = ROOT / "config" / "snapshots"
    table = (folder / "README.md").read_text("utf-8")
    assert [file.name for file in folder.iterdir() if file.name != "README.md" and f"`{file.name}`" not in table] == []
