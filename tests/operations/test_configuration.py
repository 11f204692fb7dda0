"""What `config show` says of each value."""

from pathlib import Path

import pytest

from config.errors import ConfigError
from integrated_system import IntegratedSystem
from operations.configuration import check, shown

TEXT = """
app: {name: mine}
datasets:
  - name: fx
    collect: {kind: simulated, rows: 5}
    rules: [{not_null: [id]}]
"""


def test_every_value_says_where_it_comes_from(tmp_path: Path):
    """File and line for what is written, also inside a dataset; `default` for the rest; variables by name."""
    file = tmp_path / "my.yaml"
    file.write_text(TEXT)
    system = IntegratedSystem(file, state_dir=tmp_path / "state", environ={"ORCHESTRATOR_CACHE__TTL": "1m"})

    rows = {row["key"]: row for row in shown(system)["values"]}

    assert rows["app.name"] == {"key": "app.name", "value": "mine", "origin": f"{file}:2"}
    assert rows["datasets.fx.collect.rows"]["origin"] == f"{file}:5"
    assert rows["datasets.fx.rules[0].not_null"]["origin"] == f"{file}:6"
    assert rows["datasets.fx.on_fail"]["origin"] == "default"
    assert rows["cache.ttl"]["value"] == "1m"
    written = [rows[f"datasets.fx.{key}"]["value"] for key in ("rules[0].not_null", "allow_empty", "data_time")]
    assert written == ['["id"]', "false", "null"]  # as one could write it, not as Python does
    assert "ORCHESTRATOR_CACHE__TTL" in rows["cache.ttl"]["origin"]


def test_a_provider_that_looks_like_a_slip_is_noted(tmp_path: Path):
    """It is no error: a provider needs no block. But then nobody sends its credentials."""
    file = tmp_path / "my.yaml"
    file.write_text(
        "providers: {partner: {auth: {kind: bearer, token: abcdef}}}\n"
        "datasets:\n"
        "  - {name: a, provider: parter, collect: {kind: simulated}}\n"
        "  - {name: b, provider: partner, collect: {kind: simulated}}\n"
        "  - {name: c, provider: elsewhere, collect: {kind: simulated}}\n"
    )
    system = IntegratedSystem(file, state_dir=tmp_path / "state", environ={})

    (note,) = check(system).notes

    assert note.startswith("a: provider `parter` is not declared")
    assert "did you mean `partner`?" in note


def test_holidays_that_cannot_be_read_and_schedules_that_are_never_due_are_told(tmp_path: Path):
    """With file and line, before anything runs: first the calendars, without which nobody knows what is due."""
    file = tmp_path / "my.yaml"
    text = (
        "calendars:\n"
        "  bank: {weekdays: mon-fri, holidays: ['file:off.ics']}\n"
        "datasets:\n"
        "  - name: fx\n"
        "    collect: {kind: simulated}\n"
        "    schedule: {cron: '0 9 * * sat', calendar: bank}\n"
        "  - {name: gold, collect: {kind: simulated}, schedule: {every: 1h, calendar: bank}}\n"
    )
    file.write_text(text)
    told = []
    for holidays in ("file:off.ics", "2026-12-25"):
        file.write_text(text.replace("file:off.ics", holidays))
        with pytest.raises(ConfigError) as caught:
            check(IntegratedSystem(file, state_dir=tmp_path / "state", environ={}))
        told += caught.value.problems

    assert [(one.key, one.line) for one in told] == [("calendars.bank.holidays[0]", 2), ("datasets.fx.schedule", 6)]
    assert "there is no file" in told[0].message
    assert told[1].message == "is never due: its times fall on none of the days of the calendar `bank`"


def test_a_health_check_whose_function_is_not_there_is_told(tmp_path: Path):
    """With file and line; the module is not run."""
    (tmp_path / "till_checks.py").write_text("raise SystemExit\ndef is_open(): ...\n")
    file = tmp_path / "my.yaml"
    file.write_text(
        f"code: [{tmp_path}]\n"
        "monitor:\n"
        "  health:\n"
        "    - {name: till, function: 'till_checks:is_open'}\n"
        "    - {name: door, function: 'till_checks:is_opn'}\n"
        "    - {name: shop, function: 'nowhere:shop'}\n"
    )

    with pytest.raises(ConfigError) as raised:
        check(IntegratedSystem(file, state_dir=tmp_path / "state", environ={}))

    door, shop = raised.value.problems
    assert (door.line, door.key) == (5, "monitor.health.door.function")
    assert "did you mean `is_open`?" in door.message
    assert (shop.line, shop.message) == (6, "there is no module `nowhere`")
