"""What is wrong with a value is said in our words: what was expected, what came, the nearest known name."""

import pytest

from tests.config.conftest import House


def one(keys: str) -> str:
    """A configuration of one dataset with these further keys (YAML flow)."""
    return "datasets:\n  - {name: a, collect: {kind: simulated}, " + keys + "}\n"


def collecting(block: str) -> str:
    """A configuration of one dataset with this `collect` block."""
    return "datasets: [{name: a, collect: " + block + "}]"


def provider(keys: str) -> str:
    """A configuration of one provider with these keys."""
    return "providers: {p: {" + keys + "}}"


HOUSE = [
    ("dataset: []", "dataset", "unknown key `dataset`; did you mean `datasets`?"),
    ("cache: {tll: 1m}", "cache.tll", "unknown key `tll`; did you mean `ttl`?"),
    ("alert: {}", "alert", "unknown key `alert`; did you mean `alerts`?"),
    ("zzz: 1", "zzz", "unknown key `zzz`"),
    ("cache: {ttl: 15 minutes}", "cache.ttl", "expected a duration such as `15m`, got `15 minutes`"),
    ("cache: {ttl: 15}", "cache.ttl", "expected a duration such as `15m`, got `15`"),
    ("cache: {size_limit: big}", "cache.size_limit", "expected a size such as `64MB`, got `big`"),
    ("cache: {size_limit: 1KB}", "cache.size_limit", "expected at least `1MB`, got `1,000B`"),
    ("cache: {ttl: 0s}", "cache.ttl", "expected longer than 0s"),
    ("cache: [1]", "cache", "expected a map (`key: value`), got a list"),
    ("cache:", "cache", "expected a map (`key: value`), got nothing (null)"),
    ("datasets: {a: 1}", "datasets", "expected a list such as `[a, b]`, got a map"),
    ("datasets: [x]", "datasets[0]", "expected a map (`key: value`), got `x`"),
    ("executor: {workers: many}", "executor.workers", "expected a whole number, got `many`"),
    ("executor: {workers: 0}", "executor.workers", "expected at least 1, got `0`"),
    ("executor: {workers: 1.5}", "executor.workers", "expected a whole number, got `1.5`"),
    ("executor: {kind: dask, address: scheduler}", "executor.address", "expected the address of a Dask scheduler"),
    ('executor: {kind: dask, address: "tcp://h:0"}', "executor.address", "expected the address of a Dask scheduler"),
    ('executor: {address: "tcp://h:8786"}', "executor", "an address without a cluster"),
    ("logging: {level: LOUD}", "logging.level", "expected one of `DEBUG`, `INFO`, `WARNING`, `ERROR`, `CRITICAL`, got"),
    ("monitor: {enabled: maybe}", "monitor.enabled", "expected `true` or `false`, got `maybe`"),
    ("logging: {console: maybe}", "logging.console", "expected `true` or `false` or `auto`, got `maybe`"),
    ("app: {name: 2024}", "app.name", "expected text, got `2024`"),
    ("app: {durability: proces}", "app.durability", "`power`, got `proces`; did you mean `process`?"),
    (
        "defaults: {dataset: {zone: Europe/Berln}}",
        "defaults.dataset.zone",
        "unknown time zone `Europe/Berln`; did you mean `Europe/Berlin`?",
    ),
    ("include: 5", "include", "expected a list of file names"),
    ("include: [no/*.yaml]", "include", "no file matches `no/*.yaml`"),
    ("code: [nowhere]", "code", "is not a folder"),
    ('code: [""]', "code", "must not be empty"),
    (
        provider("auth: {kind: digest}"),
        "providers.p.auth.kind",
        "`basic`, `bearer`, `header`, `query`, `oauth2`, got `digest`",
    ),
    (provider("auth: {token: x}"), "providers.p.auth.kind", "is missing"),
    (
        provider("auth: {kind: oauth2, client_id: x, token_url: 'ftp://h/t'}"),
        "providers.p.auth.token_url",
        "expected an http(s) address, got `ftp://h/t`",
    ),
    (provider("auth: {kind: basic, user: x}"), "providers.p.auth.password", "is missing"),
    (provider("auth: {kind: bearer, token: x, tokn: y}"), "providers.p.auth.tokn", "did you mean `token`?"),
    (
        provider("resilience: {breaker: {window: 4}}"),
        "providers.p.resilience.breaker.minimum_calls",
        "expected at most the window of 4 calls, got `5`",
    ),
    *(
        (provider(f"resilience: {{{part}: {{{key}: 0s}}}}"), f"providers.p.resilience.{part}.{key}", "longer than 0s")
        for part, keys in {
            "breaker": ("window_time", "slow_call", "open_for", "max_open_for"),
            "rate_limit": ("per", "quota_per"),
        }.items()
        for key in keys
    ),
    *(
        (f"defaults: {{dataset: {text}}}", f"defaults.dataset.{key}", "longer than 0s")
        for text, key in (
            ("{deadline: 0s}", "deadline"),
            ("{timeout: {connect: 0s}}", "timeout.connect"),
            ("{timeout: {read: 0s}}", "timeout.read"),
        )
    ),
    (
        "defaults: {resilience: {breaker: {open_for: 2h}}}",
        "defaults.resilience.breaker.max_open_for",
        "expected at least `open_for` (7200s)",
    ),
    (provider("resilience: {breaker: {windw: 1}}"), "providers.p.resilience.breaker.windw", "did you mean `window`?"),
    ("providers: {h.org: {ownr: x}}", 'providers["h.org"].ownr', "unknown key `ownr`; did you mean `owner`?"),
]

DATASETS = [
    ("datasets: [{collect: {kind: simulated}}]", "datasets[0].name", "is missing"),
    ("datasets: [{name: a}]", "datasets.a.collect", "is missing"),
    (
        one("").replace("name: a", "name: Big One"),
        'datasets["Big One"].name',
        "expected a name such as `fx_daily`, got",
    ),
    (collecting("simulated"), "datasets.a.collect", "expected a map such as"),
    (collecting("{rows: 1}"), "datasets.a.collect.kind", "is missing"),
    (collecting("{kind: 7}"), "datasets.a.collect.kind", "expected a kind such as `http`, got `7`"),
    (collecting("{kind: htp}"), "datasets.a.collect.kind", "unknown kind `htp`; did you mean `http`?"),
    (collecting('{kind: "no.such:Kind"}'), "datasets.a.collect.kind", "cannot import `no.such:Kind`"),
    (collecting('{kind: "tests.config.fakes:NoOptions"}'), "datasets.a.collect.kind", "has no `Options`"),
    (collecting("{kind: file}"), "datasets.a.collect.path", "is missing"),
    (collecting("{kind: file, pth: x, path: y}"), "datasets.a.collect.pth", "unknown key `pth`; did you mean `path`?"),
    (collecting("{kind: simulated, rows: -1}"), "datasets.a.collect.rows", "expected at least 0, got `-1`"),
    (one("parse: {skip_row: 1}"), "datasets.a.parse.skip_row", "did you mean `skip_rows`?"),
    (one("parse: [csv]"), "datasets.a.parse", "expected a map such as `{format: csv}`, got a list"),
    (one("columns: {x: flot}"), "datasets.a.columns.x", "`float`, got `flot`; did you mean `float`?"),
    (one("columns: {x: {type: flot}}"), "datasets.a.columns.x.type", "`float`, got `flot`; did you mean `float`?"),
    (one("columns: {x: 5}"), "datasets.a.columns.x", "expected a type such as `float`, got `5`"),
    (one("columns: [x]"), "datasets.a.columns", "expected a map such as `{price: float}`, got a list"),
    (one("rules: {not_null: [x]}"), "datasets.a.rules", "expected a list of rules, got a map"),
    (one("rules: [not_null]"), "datasets.a.rules[0]", "expected a rule such as `not_null: [id]`, got `not_null`"),
    (one("rules: [{unique: a}, {nonull: a}]"), "datasets.a.rules[1]", "unknown rule `nonull`"),
    (one("rules: [{unique: a}, {unique: a}]"), "datasets.a.rules[1]", "there is a rule `unique(a)` already"),
    (one("resilience: {rate_limit: {}}"), "datasets.a.resilience.rate_limit", "unknown key `rate_limit`"),
    (one("resilience: {fallback: [lastgood]}"), "datasets.a.resilience.fallback[0]", "did you mean `last_good`?"),
    (one("quality: {minimum: 101}"), "datasets.a.quality.minimum", "expected at most 100, got `101`"),
    (one("data_time: filename rates"), "datasets.a.data_time", "expected `filename` with a quoted pattern"),
    (one("key: id"), "datasets.a.key", "expected a list such as `[a, b]`, got `id`"),
    (one("objective: {quality: 1}"), "datasets.a.objective.quality", "expected less than 1, got `1`"),
    (one("objective: {over: 10m}"), "datasets.a.objective.over", "expected at least 3600, got `10m`"),
    (one("objective: {fresh: 0.9}"), "datasets.a.objective.fresh", "needs a `promise`"),
    (one("objective: {quality: null}"), "datasets.a.objective", "has nothing to judge"),
    (one("promise: {max_age: soon}"), "datasets.a.promise.max_age", "expected a duration such as `15m`, got `soon`"),
]


@pytest.mark.parametrize(("text", "key", "message"), HOUSE + DATASETS)
def test_a_fault_is_told_with_its_key_and_what_was_expected(house: House, text: str, key: str, message: str) -> None:
    """One fault, one problem, in words."""
    problem = house.problem(text)

    assert problem.key == key
    assert message in problem.message
    assert problem.file == str(house.folder / "orchestrator.yaml")
