"""Results of health checks are told in every form that programs ask for."""

import copy
import json
import pickle

import orjson
import pytest
from fastapi.encoders import jsonable_encoder
from flask import Flask
from flask.json import dumps as flask_dumps

from monitoring.health import HealthResult, HealthResults

WELL = HealthResult("log", True, "12 events")
ILL = HealthResult(
    "shop", False, "no answer within 5 s", kind="http", response_s=5.0, checked_at="2026-01-01T00:00:00Z"
)
EXPLAINED = HealthResult("basket", False, "refused", explained_by="shop")


def _as_flask_writes(value: object) -> object:
    with Flask("app").app_context():
        return json.loads(flask_dumps(value))


@pytest.mark.parametrize(
    "written",
    [
        lambda value: json.loads(json.dumps(value)),
        lambda value: orjson.loads(orjson.dumps(value)),
        _as_flask_writes,
        jsonable_encoder,
    ],
    ids=["json", "orjson", "flask", "fastapi"],
)
@pytest.mark.parametrize("result", [WELL, ILL, EXPLAINED], ids=lambda one: one.name)
def test_every_writer_of_json_takes_a_result_alone_and_among_others(result, written):
    """The same fields come out, also of an ill one, which is false."""
    assert written(result) == result.to_json()
    assert written(HealthResults({result.name: result})) == {result.name: result.to_json()}


def test_a_result_is_true_when_it_is_well():
    """So `if result` and `all(results.values())` ask the right thing."""
    assert WELL
    assert not ILL
    assert not all({"log": WELL, "shop": ILL}.values())


def test_results_are_true_when_all_are_well_and_name_what_is_ill_by_itself():
    """What a failed parent explains is ill, and no trouble of its own; without checks nothing is wrong."""
    results = HealthResults({one.name: one for one in (WELL, ILL, EXPLAINED)})
    assert not results
    assert results.failed == [ILL]
    assert HealthResults()
    assert HealthResults(log=WELL)


def test_a_result_has_attributes_and_leaves_out_what_is_not_known():
    """Code reads attributes; JSON has no empty fields."""
    assert (ILL.name, ILL.healthy, ILL.kind, ILL.response_s) == ("shop", False, "http", 5.0)
    assert (WELL.kind, WELL.response_s, WELL.checked_at, WELL.explained_by) == ("", None, None, None)
    assert WELL.to_json() == {"name": "log", "healthy": True, "detail": "12 events"}


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_result_is_copied_whole(again):
    """It goes between threads and processes like any value."""
    assert again(ILL) == ILL
    assert bool(again(ILL)) is False
