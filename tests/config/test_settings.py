"""The models: defaults of the contract, partial blocks laid over defaults, fingerprints."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.layers import merged
from config.settings import DatasetSettings, Settings
from tests.config.conftest import House

SIMULATED = {"kind": "simulated"}


def of(**keys: Any) -> DatasetSettings:
    return DatasetSettings.model_validate({"name": "a", "collect": SIMULATED, **keys})


def test_a_dataset_has_the_defaults_of_the_contract() -> None:
    """Only name and collect are needed."""
    dataset = Settings.model_validate({"datasets": [{"name": "a", "collect": SIMULATED}]}).dataset("a")

    assert (dataset.kind, dataset.collect.rows, dataset.zone, dataset.on_fail) == ("simulated", 100, "UTC", "hold")
    assert (dataset.resilience.deadline, dataset.resilience.retry.attempts) == (120.0, 4)
    assert dataset.resilience.fallback == ("last_good", "snapshot")
    assert (dataset.promise.max_age, dataset.quality.minimum, dataset.snapshot) == (None, 0.0, None)


def test_a_datasets_resilience_lies_over_the_defaults() -> None:
    """Key by key, at every depth; the other dataset is not touched."""
    settings = Settings.model_validate(
        {
            "defaults": {"dataset": {"deadline": "1m", "retry": {"attempts": 2}, "zone": "Europe/Berlin"}},
            "datasets": [
                {"name": "a", "collect": SIMULATED, "resilience": {"retry": {"initial": "1s"}, "fallback": []}},
                {"name": "b", "collect": SIMULATED, "zone": "Asia/Tokyo"},
            ],
        }
    )

    a, b = settings.datasets
    assert (a.resilience.deadline, a.resilience.retry.attempts, a.resilience.retry.initial) == (60.0, 2, 1.0)
    assert (a.resilience.fallback, b.resilience.fallback) == ((), ("last_good", "snapshot"))
    assert (a.zone, b.zone) == ("Europe/Berlin", "Asia/Tokyo")


def test_a_providers_resilience_lies_over_the_defaults() -> None:
    """For any name; declared ones bring their own keys; null lifts a limit."""
    settings = Settings.model_validate(
        {
            "defaults": {"resilience": {"breaker": {"window": 50}, "rate_limit": {"rate": 5}}},
            "providers": {"p": {"resilience": {"breaker": {"open_for": "5s"}, "bulkhead": None}}},
        }
    )

    declared, derived = settings.provider("p").resilience, settings.provider("x.org").resilience
    assert (declared.breaker.window, declared.breaker.open_for) == (50, 5.0)
    assert declared.bulkhead is None
    assert derived.bulkhead is not None
    assert derived.rate_limit is not None
    assert (derived.rate_limit.rate, derived.rate_limit.burst, derived.breaker.window) == (5.0, 20, 50)


def test_a_window_of_time_may_need_more_calls_than_a_window_of_calls_holds() -> None:
    """`window` is not used then."""
    block = {"breaker": {"window": 4, "minimum_calls": 100, "window_time": "2m"}}
    settings = Settings.model_validate({"providers": {"p": {"resilience": block}}})

    breaker = settings.provider("p").resilience.breaker

    assert (breaker.window_time, breaker.minimum_calls) == (120.0, 100)


@pytest.mark.parametrize("kind", ["file", "host", "simulated", "my:Class"])
def test_kinds_without_a_network_have_no_default_limits(kind: str) -> None:
    """Unless their provider's block names one."""
    settings = Settings.model_validate({"providers": {"p": {"resilience": {"bulkhead": {"concurrency": 2}}}}})

    free, own = settings.provider("f", kind=kind).resilience, settings.provider("p", kind=kind).resilience

    assert (free.rate_limit, free.bulkhead) == (None, None)
    assert own.rate_limit is None
    assert own.bulkhead is not None
    assert own.bulkhead.concurrency == 2


def test_a_provider_is_built_once() -> None:
    """Looking it up is on the way of every collection."""
    settings = Settings()

    assert settings.provider("p") is settings.provider("p")


@pytest.mark.parametrize(
    "change",
    [
        {"collect": {"kind": "simulated", "rows": 1}},
        {"parse": {"skip_rows": 1}},
        {"columns": {"x": "float"}},
        {"data_time": "x"},
        {"zone": "Europe/Berlin"},
        {"rules": [{"not_null": ["id"]}]},
        {"ambiguous": "first"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_block_is_another_fingerprint(change: dict[str, Any]) -> None:
    """Whatever decides what the rows are, or how they are judged."""
    assert of(**change).fingerprint != of().fingerprint


def test_words_about_a_dataset_do_not_change_its_fingerprint() -> None:
    """Nor does the order of keys, nor what is only about delivery."""
    changed = of(description="x", owner="y", promise={"max_age": "1h"}, resilience={"deadline": "1s"})

    assert changed.fingerprint == of().fingerprint
    assert len(of().fingerprint) == 16
    one, other = ({"kind": "simulated", "rows": 1, "seed": 2}, {"seed": 2, "rows": 1, "kind": "simulated"})
    assert of(collect=one).fingerprint == of(collect=other).fingerprint


def test_a_columns_short_form_is_its_type() -> None:
    """`{price: float}` says `{price: {type: float}}`."""
    columns = of(columns={"price": "float", "id": {"from": "ID"}}).columns

    assert (columns["price"].type, columns["id"].source, columns["id"].type) == ("float", "ID", None)


def test_settings_cannot_be_changed() -> None:
    """What was validated is what runs."""
    with pytest.raises(ValueError, match="frozen"):
        Settings().app.name = "other"  # type: ignore[misc]  # this is the promise


def test_settings_made_in_python_refuse_two_datasets_of_one_name() -> None:
    """As the loader does."""
    with pytest.raises(ValueError, match="declared twice"):
        Settings.model_validate({"datasets": [{"name": "a", "collect": SIMULATED}] * 2})


TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["x", "y"]),
    lambda inner: (
        st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
        | st.lists(inner, max_size=3)
        | st.lists(
            st.fixed_dictionaries({"name": st.sampled_from("pqr"), "v": inner}),
            max_size=3,
            unique_by=lambda i: i["name"],
        )
    ),
    max_leaves=8,
)


@given(TREES)
def test_a_tree_over_itself_is_itself(tree: Any) -> None:
    """Reading the same twice changes nothing."""
    assert merged(tree, tree) == tree


@given(TREES, TREES, TREES)
def test_the_last_layer_always_wins(first: Any, second: Any, third: Any) -> None:
    """What the last layer says is in the result, whatever lies below."""
    assert merged(merged(merged(first, second), third), third) == merged(merged(first, second), third)


def test_files_and_python_give_the_same_settings(house: House) -> None:
    """`load` adds paths and secrets, not meaning."""
    text = "cache: {ttl: 1m}\ndatasets: [{name: a, collect: {kind: simulated}}]"

    loaded = house.load(text).settings

    made = Settings.model_validate({"cache": {"ttl": "1m"}, "datasets": [{"name": "a", "collect": SIMULATED}]})
    assert loaded.model_dump(exclude={"app"}) == made.model_dump(exclude={"app"})
