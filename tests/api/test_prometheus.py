"""A real Prometheus reads our server: what we ship for it and for Grafana finds what it names."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from operations.alerting import deliver
from tests.api.conftest import UNBOUND
from tests.api.serving import served
from tests.integration.installation import ROOT, Installation
from tests.prometheus_server import ADVICE, PromServer, is_there, promtool, reading

RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text())
EXPRESSIONS = {
    f"{panel['title']}: {target['refId']}": target["expr"]
    for panel in DASHBOARD["panels"]
    for target in panel["targets"]
}
CONDITIONS = {
    rule.get("alert") or rule["record"]: rule["expr"]
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
}

pytestmark = pytest.mark.skipif(not is_there(), reason=ADVICE)


def told(installation: Installation) -> None:
    """Two datasets of which one fails, promises, a channel that nobody takes, and a number of our own."""
    installation.configure(
        {
            "name": "orders",
            "collect": {"kind": "simulated"},
            "promise": {"max_age": "1h"},
            "rules": [{"not_null": "id"}],
        },
        {"name": "rates", "collect": {"kind": "simulated", "failure_rate": 1}},
        alerts={"channels": {"team": "json://127.0.0.1:1/?cto=0.2&rto=0.2"}},
        network={"canaries": ["127.0.0.1:1"]},
        api=UNBOUND,
    )
    installation.run()
    with installation.system() as system:
        system.record("orders_total_eur", 12.5, unit="EUR", tags={"shop": "Köln, west"})
        deliver(system, within_s=0.0, thorough=True)


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, PromServer]]:
    """The page as our server gives it, and a Prometheus that has read it some times."""
    made = Installation(tmp_path_factory.mktemp("exposed"))
    told(made)
    folder = tmp_path_factory.mktemp("prometheus")
    with made.system() as system:
        system.host.collect()
        system.progressive.step()
        with served(system) as url, reading(url.removeprefix("http://"), folder, RULES) as prometheus:
            httpx.get(f"{url}/nowhere", timeout=120)
            prometheus.wait_for("count_over_time(orchestrator_api_requests_total{path='/metrics'}[1m]) > 2")
            prometheus.wait_for("orchestrator:datasets_succeeded:ratio")
            yield httpx.get(f"{url}/metrics", timeout=120).text, prometheus


def test_promtool_has_no_complaint(exposed: tuple[str, PromServer]):
    """Names, units, help, types."""
    assert promtool("check", "metrics", given=exposed[0]) == ""


def test_what_is_shipped_is_right_for_promtool():
    """Rules and configuration."""
    assert promtool("check", "rules", RULES) == ""
    assert promtool("check", "config", RULES.with_name("prometheus.yml")) == ""


def test_the_server_is_up_for_prometheus(exposed: tuple[str, PromServer]):
    """It reads all of it, in time."""
    (up,) = exposed[1].query("up{job='orchestrator'}")
    (series,) = exposed[1].query("scrape_samples_scraped")

    assert up["value"][1] == "1"
    assert int(series["value"][1]) > 150


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_a_panel_shows_something(exposed: tuple[str, PromServer], name: str):
    """Each of its expressions has a series."""
    assert exposed[1].query(EXPRESSIONS[name]), EXPRESSIONS[name]


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_rule_asks_for_metrics_that_exist(exposed: tuple[str, PromServer], name: str):
    """Each metric that it names has a series; the whole is understood."""
    page, prometheus = exposed
    prometheus.query(CONDITIONS[name])
    for metric in set(re.findall(r"\borchestrator_\w+|\bup\b", CONDITIONS[name])):
        assert prometheus.query(metric), metric
        assert metric == "up" or f"\n# TYPE {metric} " in page


def test_rules_fire_for_what_is_wrong_here(exposed: tuple[str, PromServer]):
    """The dataset that failed, and only that one; no rule is in trouble."""
    rules = exposed[1].rules()

    assert {rule["health"] for rule in rules} == {"ok"}
    pending = {one["labels"]["dataset"] for rule in rules if rule["name"] == "DatasetFailed" for one in rule["alerts"]}
    assert pending == {"rates"}


def test_the_figures_are_those_of_the_state(exposed: tuple[str, PromServer]):
    """By what a person would ask first."""
    prometheus = exposed[1]

    def value(expression: str) -> float:
        (found,) = prometheus.query(expression)
        return float(found["value"][1])

    assert value('orchestrator_datasets{status="succeeded"}') == 1
    assert value('orchestrator_datasets{status="failed"}') == 1
    assert value('orchestrator_dataset_promise_state{dataset="orders"}') == 0
    assert 3000 < value('orchestrator_dataset_promise_left_seconds{dataset="orders"}') <= 3600
    assert value("sum(orchestrator_incidents)") == 1
    assert value('orchestrator_alert_waiting_messages{channel="team"}') == 1
    assert 0 < value('orchestrator_host_used_ratio{resource="memory"}') < 1
    assert value('orchestrator_recorded_orders_total_eur{shop=~"Köln.*"}') == 12.5
    assert value('orchestrator_api_requests_total{path="other",status="4xx"}') == 1


def test_paths_that_nobody_serves_are_one_series(exposed: tuple[str, PromServer]):
    """However many are tried: as many series as routes."""
    paths = {one["metric"]["path"] for one in exposed[1].query("orchestrator_api_requests_total")}

    assert paths == {"other", "/metrics"}


def test_the_dashboard_can_be_imported():
    """A title, a version of the schema, a data source that Grafana asks for; no two panels in one place."""
    panels = DASHBOARD["panels"]

    assert DASHBOARD["title"] == "Cloud Data Orchestrator"
    assert DASHBOARD["schemaVersion"] >= 36
    assert [one["name"] for one in DASHBOARD["__inputs"]] == ["DS_PROMETHEUS"]
    assert {one["datasource"]["uid"] for one in panels} == {"${DS_PROMETHEUS}"}
    assert len({one["id"] for one in panels}) == len(panels)
    taken = [cell for one in panels for cell in cells(one["gridPos"])]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24


def cells(place: dict[str, int]) -> list[tuple[int, int]]:
    """What a panel covers."""
    return [
        (x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])
    ]
