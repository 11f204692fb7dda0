"""`suggest-rules`: learned from what was accepted, pasted, and kept by the next delivery."""

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from data_pipeline.validate.rules import parse_rules
from operations.suggest_rules import suggest_rules
from tests.integration.installation import Installation
from utils.clock import ManualClock

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def orders(count: int, seed: int, now: datetime = NOW) -> str:
    chance = random.Random(seed)
    lines = ["id,customer_id,email,state,quantity,ordered_at,shipped_at"]
    for number in range(count):
        at = now - timedelta(hours=count - number)
        cells = (
            seed * 10**6 + number,
            chance.randrange(1, 60),
            f"u{chance.randrange(10**9)}@example.org",
            chance.choice(["open", "paid", "lent"]),
            chance.randrange(1, 40),
            f"{at:%Y-%m-%dT%H:%M:%SZ}",
            f"{at + timedelta(minutes=chance.randrange(30)):%Y-%m-%dT%H:%M:%SZ}",
        )
        lines.append(",".join(map(str, cells)))
    return "\n".join(lines) + "\n"


class Shop:
    """Two datasets that belong together."""

    def __init__(self, folder: Path) -> None:
        self.house, self.file = Installation(folder), folder / "orders.csv"
        (folder / "customers.csv").write_text("id,name\n" + "".join(f"{n},name {n}\n" for n in range(1, 60)))
        self.customers = {"name": "customers", "key": ["id"], "collect": self.of(folder / "customers.csv")}
        self.orders = {"name": "orders", "data_time": "ordered_at", "collect": self.of(self.file)}

    @staticmethod
    def of(path: Path) -> dict[str, str]:
        return {"kind": "file", "path": str(path), "reread": "always"}

    def configure(self, *rules: object) -> None:
        self.house.configure({**self.orders, "rules": list(rules)}, self.customers)

    def deliver(self, content: str, now: datetime = NOW) -> None:
        self.file.write_text(content)
        run = self.house.run(fresh=True, clock=ManualClock(now))
        assert run.status == "succeeded"


def test_suggested_rules_are_pasted_and_the_next_delivery_keeps_them(tmp_path: Path):
    """The whole way: two deliveries, the rules, the configuration with them, a third delivery without a fault."""
    shop = Shop(tmp_path)
    shop.configure({"not_null": "state"})
    shop.deliver(orders(900, 1))
    shop.deliver(orders(1000, 2))

    with shop.house.system() as system:
        found = suggest_rules(system, "orders")

    lines = [one.line for one in found.suggestions]
    assert {
        "unique: id",
        "not_null: email",
        "format: {column: email, is: email}",
        "one_of: {column: state, values: [lent, open, paid]}",
        "references: {column: customer_id, dataset: customers, key: id}",
        "compare: ordered_at <= shipped_at",
        "not_in_future: ordered_at",
    } <= set(lines)
    assert any(line.startswith("fresh: {column: ordered_at, within: ") for line in lines)
    assert "not_null: state" not in lines
    assert (found.rows, found.learned + found.held_out, found.declared) == (1000, 1000, 1)
    for one in found.suggestions:
        assert one.evidence

    shop.configure({"not_null": "state"}, *yaml.safe_load(found.yaml)["rules"])
    later = NOW + timedelta(hours=1)
    shop.deliver(orders(950, 3, later), later)

    (last,) = shop.house.run("orders", fresh=True, clock=ManualClock(later)).datasets
    assert [rule.to_json() for rule in last.failed_rules] == []
    assert last.quality is not None
    assert last.quality.score == 100.0


def test_the_command_prints_yaml_or_json_or_writes_a_file(tmp_path: Path):
    """What people read is what is pasted; programs get the figures."""
    shop = Shop(tmp_path)
    shop.configure()
    shop.deliver(orders(200, 1))

    printed = shop.house.cli("suggest-rules", "orders")
    told = shop.house.cli("suggest-rules", "orders", "--json").json
    written = shop.house.cli("suggest-rules", "orders", "--output", str(tmp_path / "rules.yaml"))

    assert printed.code == 0
    alike = "[id, customer_id, email, state, quantity, ordered_at, shipped_at]"
    assert f"- not_null: {alike}  # holds on 100 % of 200 rows, held-out " in printed.out
    assert parse_rules(yaml.safe_load(printed.out)["rules"]) == parse_rules(one["rule"] for one in told["suggestions"])
    assert told["version_before"] is None
    assert {"failed", "of", "held_out", "evidence"} <= told["suggestions"][0].keys()
    assert (tmp_path / "rules.yaml").read_text() == told["yaml"] == printed.out
    assert written.out == f"{len(told['suggestions'])} rules written to {tmp_path / 'rules.yaml'}\n"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("ordres",), 2, "orders"),
        (("orders",), 1, "orders: nothing was accepted yet, so there is nothing to learn from"),
    ],
    ids=["no such dataset", "never delivered"],
)
def test_what_cannot_be_learned_from_is_said(tmp_path: Path, arguments: tuple[str, ...], code: int, words: str):
    """With what to do, and without a traceback."""
    shop = Shop(tmp_path)
    shop.configure()

    finished = shop.house.cli("suggest-rules", *arguments, "--json")

    assert finished.code == code
    error = json.loads(finished.out)["error"]
    assert words in error["message"] + error["hint"]
    assert error["hint"]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path):
    """The rules are lost, and it is said."""
    shop = Shop(tmp_path)
    shop.configure()
    shop.deliver(orders(30, 1))

    finished = shop.house.cli("suggest-rules", "orders", "--output", str(tmp_path / "no" / "rules.yaml"))

    assert finished.code == 1
    assert "rules.yaml: No such file or directory" in finished.err
    assert "Traceback" not in finished.err


def test_few_rows_suggest_little_and_it_is_said(tmp_path: Path):
    """Five rows are evidence of hardly anything; the YAML is still YAML."""
    shop = Shop(tmp_path)
    shop.configure({"row_count": 1}, {"unique": "id"}, {"range": {"column": "quantity", "min": 0}})
    shop.deliver(orders(5, 1))

    with shop.house.system() as system:
        found = suggest_rules(system, "orders")

    assert found.suggestions == ()
    assert yaml.safe_load(found.yaml) == {"rules": []}
    assert "# Few rows: most kinds of rules are learned from 100 or more" in found.yaml


def test_learning_changes_nothing(tmp_path: Path):
    """No event, no version, no point of a metric."""
    shop = Shop(tmp_path)
    shop.configure()
    shop.deliver(orders(60, 1))
    with shop.house.system() as system:
        before = [event.seq for event in system.events.read()]

        suggest_rules(system, "orders")

        assert [event.seq for event in system.events.read()] == before


def test_a_table_that_grows_is_learned_from_as_a_whole(tmp_path: Path):
    """All batches that were merged; the number of rows of a batch is no rule of the table."""
    shop = Shop(tmp_path)
    merged = {**shop.orders, "write": "merge", "key": ["id"]}
    shop.house.configure(merged, shop.customers)
    shop.deliver(orders(150, 1))
    shop.deliver(orders(160, 2))

    with shop.house.system() as system:
        found = suggest_rules(system, "orders")

    lines = {one.line: one for one in found.suggestions}
    assert found.rows == 310
    assert lines["unique: id"].of == 310
    assert lines["unique: id"].before == 150
    assert "row_count: {min: 1}" in lines


def test_what_an_earlier_delivery_breaks_is_listed_with_the_reason(tmp_path: Path):
    """As a comment for people, as data for programs; the YAML holds only what held."""
    shop = Shop(tmp_path)
    shop.configure()
    shop.deliver(orders(300, 1).replace(",lent,", ",lost,"))
    shop.deliver(orders(300, 2))

    with shop.house.system() as system:
        found = suggest_rules(system, "orders")

    rules = yaml.safe_load(found.yaml)["rules"]
    assert not [rule for rule in rules if "one_of" in rule]
    assert "#   - one_of: {column: state, values: [lent, open, paid]}  # the version before: " in found.yaml
    assert found.to_json()["dropped"][0]["reason"].endswith("of 300 break it")
