"""Finding, merging and filling in: which value counts, and where it came from."""

from pathlib import Path

import orjson
import pytest

from config.loading import SHIPPED, ConfigError, load
from tests.config.conftest import House, Write

DATASET = "datasets:\n  - name: a\n    collect: {kind: file, path: a.csv}\n"


def test_an_empty_file_is_all_defaults(house: House) -> None:
    """Every section has a default."""
    settings = house.load("").settings

    assert (settings.cache.ttl, settings.executor.workers, settings.datasets) == (900.0, 8, ())


def test_the_argument_goes_before_the_variable_and_the_local_file(write: Write, tmp_path: Path) -> None:
    """Search order: argument, ORCHESTRATOR_CONFIG, ./orchestrator.yaml."""
    for name in ("argument", "variable", "orchestrator"):
        write(f"{name}.yaml", f"app: {{name: {name}}}\n")
    environ = {"ORCHESTRATOR_CONFIG": "variable.yaml"}

    found = [
        load(Path("argument.yaml"), environ=environ, cwd=tmp_path),
        load(None, environ=environ, cwd=tmp_path),
        load(None, environ={}, cwd=tmp_path),
    ]

    assert [loaded.settings.app.name for loaded in found] == ["argument", "variable", "orchestrator"]


def test_without_any_file_the_shipped_one_is_read(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last place to look is beside the code."""
    shipped = write("shipped/orchestrator.yaml", "app: {name: shipped}")
    monkeypatch.setattr("config.loading.SHIPPED", shipped)

    assert load(None, environ={}, cwd=tmp_path).settings.app.name == "shipped"
    assert SHIPPED.name == "orchestrator.yaml"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.yaml", "cache: {ttl: 10m}"),
        ("c.yml", "cache:\n  ttl: 10m"),
        ("c.toml", '[cache]\nttl = "10m"'),
        ("c.json", '{"cache": {"ttl": "10m"}}'),
    ],
)
def test_yaml_toml_and_json_say_the_same(write: Write, tmp_path: Path, name: str, text: str) -> None:
    """The format follows the suffix."""
    assert load(write(name, text), environ={}, cwd=tmp_path).settings.cache.ttl == 600.0


def test_includes_lie_below_the_file_that_includes_them(house: House, write: Write) -> None:
    """Files of a pattern are read by name, later over earlier, the including file over all."""
    write("datasets/1.yaml", "app: {name: one}\ncache: {ttl: 1m}\n" + DATASET)
    write("datasets/2.yaml", "cache: {ttl: 2m}\ndatasets:\n  - {name: b, collect: {kind: simulated}}\n")

    loaded = house.load("include: [datasets/*.yaml]\napp: {name: main}\n")

    assert (loaded.settings.app.name, loaded.settings.cache.ttl) == ("main", 120.0)
    assert [dataset.name for dataset in loaded.settings.datasets] == ["a", "b"]
    assert [path.name for path in loaded.files] == ["1.yaml", "2.yaml", "orchestrator.yaml"]
    assert loaded.main.name == "orchestrator.yaml"  # the one that another process is told to read


def test_files_that_include_each_other_are_read_once(house: House, write: Write) -> None:
    """A circle of includes ends."""
    write("other.yaml", "include: [orchestrator.yaml]\ncache: {ttl: 1m}")

    assert house.load("include: [other.yaml]").settings.cache.ttl == 60.0


def test_the_environment_changes_only_the_keys_it_names(house: House, write: Write) -> None:
    """Maps merge key by key, datasets by name, other lists are replaced."""
    write(
        "environments/prod.yaml",
        "cache: {ttl: 1h}\nlogging: {redact: [z]}\ndatasets:\n"
        "  - {name: a, promise: {max_age: 2h}}\n  - {name: c, collect: {kind: simulated}}\n",
    )
    text = "cache: {ttl: 1m, size_limit: 5MB}\nlogging: {redact: [x, y]}\n" + DATASET

    settings = house.load(text, {"ORCHESTRATOR_ENV": "prod"}).settings

    assert (settings.cache.ttl, settings.cache.size_limit, settings.logging.redact) == (3600.0, 5_000_000, ("z",))
    assert [dataset.name for dataset in settings.datasets] == ["a", "c"]
    assert (settings.dataset("a").promise.max_age, settings.dataset("a").collect.path) == (7200.0, "a.csv")


@pytest.mark.parametrize("name", ["prod", "../prod", "a b", ""])
def test_a_named_environment_without_a_file_is_an_error(house: House, name: str) -> None:
    """A misspelt environment must not run with the wrong settings; an empty name is none."""
    if not name:
        assert house.load("", {"ORCHESTRATOR_ENV": name}).settings.app.name == "my-data"
        return
    problem = house.problem("", {"ORCHESTRATOR_ENV": name})
    assert "there is no environment" in problem.message
    assert problem.file == "variable ORCHESTRATOR_ENV"


def test_variables_lie_over_all(house: House, write: Write) -> None:
    """Keys, named items and whole lists can be set; null is null."""
    write("environments/prod.yaml", "cache: {ttl: 1h}")
    environ = {
        "ORCHESTRATOR_ENV": "prod",
        "ORCHESTRATOR_CACHE__TTL": "10m",
        "ORCHESTRATOR_EXECUTOR__WORKERS": "3",
        "ORCHESTRATOR_LOGGING__FILES": "false",
        "ORCHESTRATOR_LOGGING__REDACT": '["x"]',
        "ORCHESTRATOR_DATASETS__MY_SET__PROMISE__MAX_AGE": "2h",
        "ORCHESTRATOR_PROVIDERS__API_EXAMPLE_ORG__RESILIENCE__RATE_LIMIT": "null",
    }
    text = (
        "providers: {api.example.org: {owner: x}}\n"
        "datasets:\n  - {name: other, collect: {kind: simulated}}\n  - {name: my-set, collect: {kind: simulated}}\n"
    )

    settings = house.load(text, environ).settings

    assert (settings.cache.ttl, settings.executor.workers) == (600.0, 3)
    assert (settings.logging.files, settings.logging.redact) == (False, ("x",))
    assert settings.dataset("my-set").promise.max_age == 7200.0
    assert settings.provider("api.example.org").resilience.rate_limit is None
    assert settings.provider("api.example.org").owner == "x"


@pytest.mark.parametrize(
    ("written", "age", "size"),
    [
        ("", 90, 1_000_000_000),
        ("retention: {events: 30d}", 30, 1_000_000_000),
        ("retention: {events: {age: 30d}}", 30, 1_000_000_000),
        ("retention: {events: {size: 5MB}}", 90, 5_000_000),
    ],
    ids=["default", "short", "age", "size"],
)
def test_a_short_form_is_the_map_it_stands_for(house: House, written: str, age: int, size: int) -> None:
    """Alone, and under a layer that names another key of that map or the short form again."""
    loaded = house.load(written)
    over = house.load(written, {"ORCHESTRATOR_RETENTION__EVENTS__SIZE": "7MB"}).settings.retention.events
    short = house.load(written, {"ORCHESTRATOR_RETENTION__EVENTS": "20d"})

    assert (loaded.settings.retention.events.age, loaded.settings.retention.events.size) == (age * 86_400.0, size)
    assert (over.age, over.size) == (age * 86_400.0, 7_000_000)
    assert (short.settings.retention.events.age, short.settings.retention.events.size) == (20 * 86_400.0, size)
    assert short.origins["retention.events.age"] == "variable ORCHESTRATOR_RETENTION__EVENTS"


def test_an_unknown_variable_is_an_error(house: House) -> None:
    """A misspelt variable names the nearest key, and itself."""
    problem = house.problem("", {"ORCHESTRATOR_CACH__TTL": "10m"})

    assert str(problem) == "variable ORCHESTRATOR_CACH__TTL: cach: unknown key `cach`; did you mean `cache`?"


def test_relative_paths_start_at_the_file_that_names_them(house: House, write: Write, tmp_path: Path) -> None:
    """Also when several files in several folders describe one dataset."""
    write("sets/a.yaml", DATASET + "    snapshot: a.parquet\n")
    write("sets/b.yaml", "datasets:\n  - {name: b, collect: {kind: file, path: b.csv}}\n")
    write(
        "environments/prod.yaml",
        "datasets:\n  - {name: b, collect: {path: c.csv}, snapshot: s.csv}\nstorage: {url: store}",
    )
    (tmp_path / "my").mkdir()

    settings = house.load("include: [sets/*.yaml]\ncode: [my]\n", {"ORCHESTRATOR_ENV": "prod"}).settings

    assert settings.dataset("a").base == tmp_path / "sets"
    assert settings.dataset("a").snapshot == tmp_path / "sets/a.parquet"
    assert settings.dataset("b").base == tmp_path / "environments"
    assert settings.dataset("b").snapshot == tmp_path / "environments/s.csv"
    assert settings.storage.url == str(tmp_path / "environments/store")
    assert settings.code == (tmp_path / "my",)


def test_the_state_directory_starts_at_the_current_directory(write: Write, tmp_path: Path) -> None:
    """Whoever runs decides where state is; the option goes before the file."""
    path = write("conf/orchestrator.yaml", "app: {state_dir: st}")
    empty = write("conf/empty.yaml", "")

    def state_dir(file: Path, option: Path | None = None) -> Path:
        return load(file, environ={}, cwd=tmp_path, state_dir=option).settings.app.state_dir

    assert state_dir(path) == tmp_path / "st"
    assert state_dir(empty) == tmp_path / "state"
    assert state_dir(path, Path("/var/x")) == Path("/var/x")


def test_origins_say_where_each_value_came_from(house: House, write: Write, tmp_path: Path) -> None:
    """File and line, or variable; a default is in no file."""
    write("environments/prod.yaml", "cache:\n  ttl: 1h\n")
    environ = {"ORCHESTRATOR_ENV": "prod", "ORCHESTRATOR_EXECUTOR__WORKERS": "2", "NAME": "x"}

    loaded = house.load('cache: {size_limit: 1MB}\napp:\n  name: "${NAME}"\n' + DATASET, environ, state_dir=Path("s"))

    assert loaded.origins == {
        "cache.size_limit": f"{tmp_path}/orchestrator.yaml:1",
        "cache.ttl": f"{tmp_path}/environments/prod.yaml:2",
        "app.name": f"{tmp_path}/orchestrator.yaml:3 from ${{NAME}}",
        "app.state_dir": "--state-dir",
        "executor.workers": "variable ORCHESTRATOR_EXECUTOR__WORKERS",
        "datasets.a.name": f"{tmp_path}/orchestrator.yaml:5",
        "datasets.a.collect.kind": f"{tmp_path}/orchestrator.yaml:6",
        "datasets.a.collect.path": f"{tmp_path}/orchestrator.yaml:6",
    }


def test_norway_times_and_dates_stay_text(house: House) -> None:
    """YAML 1.1 would make false, 960 and a date of them."""
    params = "{a: NO, b: 16:00, c: 2024-01-01, d: 7, e: 0o10}"
    text = f"datasets:\n  - name: a\n    collect: {{kind: http, url: 'http://u', params: {params}}}\n"

    assert house.load(text).settings.datasets[0].collect.params == {
        "a": "NO",
        "b": "16:00",
        "c": "2024-01-01",
        "d": 7,
        "e": 8,
    }


def test_yaml_anchors_and_merge_keys_work(house: House) -> None:
    """Shared parts may be written once; own keys go before merged ones."""
    text = "providers:\n  a: &base {owner: x, runbook: y}\n  b:\n    <<: *base\n    owner: z\n"

    providers = house.load(text).settings.providers

    assert (providers["b"].owner, providers["b"].runbook) == ("z", "y")


def test_your_own_collector_is_found_in_your_code_folder(house: House, write: Write, tmp_path: Path) -> None:
    """`code` is on the path before kinds are looked up."""
    write(
        "my/my_kinds_of_test.py",
        "from pydantic import BaseModel\nclass Mine:\n    class Options(BaseModel):\n        size: int = 1\n",
    )

    loaded = house.load('code: [my]\ndatasets:\n  - {name: a, collect: {kind: "my_kinds_of_test:Mine", size: 3}}\n')

    dataset = loaded.settings.dataset("a")
    assert (dataset.collect.size, dataset.kind) == (3, "my_kinds_of_test:Mine")


def test_ten_thousand_datasets_load_quickly(write: Write, tmp_path: Path) -> None:
    """Equal blocks are validated once. The bound is three times what this takes on a slow machine."""
    import time

    datasets = [
        {
            "name": f"d{n}",
            "collect": {"kind": "simulated", "seed": n},
            "rules": [{"not_null": ["id"]}, {"unique": "id"}],
        }
        for n in range(10_000)
    ]
    path = write("many.json", orjson.dumps({"datasets": datasets}).decode())

    started = time.process_time()
    loaded = load(path, environ={}, cwd=tmp_path)

    assert time.process_time() - started < 60.0
    assert loaded.settings.datasets[0].rules is loaded.settings.datasets[9_999].rules


def test_an_unknown_dataset_is_told_with_the_nearest(house: House) -> None:
    """What the command line asks for may be misspelt."""
    settings = house.load("datasets:\n  - {name: earthquakes, collect: {kind: simulated}}\n").settings

    with pytest.raises(ConfigError, match="unknown dataset `earthquake`; did you mean `earthquakes`"):
        settings.dataset("earthquake")
