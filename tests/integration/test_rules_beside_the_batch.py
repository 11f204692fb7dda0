"""Rules that look beside the batch, through the whole line: other tables, the version before, code of one's own."""

from pathlib import Path
from typing import Any

import pytest

from config.errors import ConfigError
from tests.integration.installation import Installation


def csv(folder: Path, name: str, text: str) -> dict[str, Any]:
    """A dataset of a file that holds these lines."""
    (folder / f"{name}.csv").write_text(text)
    return {"name": name, "collect": {"kind": "file", "path": str(folder / f"{name}.csv"), "reread": "always"}}


CUSTOMERS = "id,name\n1,Ada\n2,Bo\n"
ORDERS = "order,customer\n" + "".join(f"{order},{1 + order % 2}\n" for order in range(10)) + "10,7\n"
REFERENCES = {"references": {"column": "customer", "dataset": "customers", "key": "id"}}


def test_a_value_must_stand_in_the_accepted_table_of_another_dataset(installation: Installation) -> None:
    """First nothing was delivered of it, then what is held there is nobody's reference, then it is accepted."""
    customers = csv(installation.folder, "customers", CUSTOMERS)
    orders = {**csv(installation.folder, "orders", ORDERS), "rules": [REFERENCES]}

    installation.configure(customers, orders)
    (early,) = installation.run("orders", fresh=True).datasets
    installation.run("customers", fresh=True)
    (first,) = installation.run("orders", fresh=True).datasets
    csv(installation.folder, "customers", CUSTOMERS + "7,Cy\n")
    installation.configure({**customers, "rules": [{"row_count": {"max": 2}, "severity": "critical"}]}, orders)
    (held,) = installation.run("customers", fresh=True).datasets
    csv(installation.folder, "orders", ORDERS + "11,1\n")
    (second,) = installation.run("orders", fresh=True).datasets
    installation.configure(customers, orders)
    installation.run("customers", fresh=True)
    csv(installation.folder, "orders", ORDERS + "12,1\n")
    (third,) = installation.run("orders", fresh=True).datasets

    assert (early.status, early.failed_rules[0].failed) == ("failed", 11)
    assert (first.status, first.rows, first.quarantined) == ("succeeded", 10, 1)
    assert (held.origin, held.accepted) == ("last_good", False)
    assert (second.rows, second.quarantined) == (11, 1)
    assert (third.rows, third.quarantined) == (12, 0)
    versions = [
        event["looked_at"]["customers"] for event in installation.events("batch.accepted") if "looked_at" in event
    ]
    assert len(versions) == 3
    assert versions[0] == versions[1] != versions[2]


def test_a_table_rule_looks_the_whole_table_up(installation: Installation) -> None:
    """`scope: dataset`: rows that came before are judged by the reference as it is now; they are told, and stay."""
    customers = csv(installation.folder, "customers", CUSTOMERS)
    rule = {**REFERENCES, "scope": "dataset", "severity": "warning"}
    orders = {**csv(installation.folder, "orders", "order,customer\n1,1\n2,2\n"), "write": "append", "rules": [rule]}
    installation.configure(customers, orders)
    installation.run("customers")

    (first,) = installation.run("orders", fresh=True).datasets
    csv(installation.folder, "customers", "id,name\n1,Ada\n")
    installation.run("customers", fresh=True)
    csv(installation.folder, "orders", "order,customer\n3,1\n")
    (second,) = installation.run("orders", fresh=True).datasets

    assert first.failed_rules == ()
    assert [(rule.rule, rule.failed, rule.of) for rule in second.failed_rules] == [
        ("references(customer) of the table", 1, 3)
    ]
    assert len(installation.rows("orders")) == 3


def test_a_value_may_only_move_so_far_between_versions(installation: Installation) -> None:
    """Against what readers see: a held batch in between changes nothing; new keys pass."""

    def prices(**by_id: int) -> dict[str, Any]:
        text = "id,price\n" + "".join(f"{name},{price}\n" for name, price in by_id.items())
        rule = {"change": {"column": "price", "by": "id", "max_percent": 10}}
        return {**csv(installation.folder, "prices", text), "rules": [rule]}

    shop = {f"p{at}": 100 for at in range(10)}
    installation.configure(prices(**shop))
    first = installation.run_one(fresh=True)
    prices(**{**shop, "p0": 111, "p1": 110, "new": 5})
    second = installation.run_one(fresh=True)
    prices(**dict.fromkeys(shop, 200))
    doubled = installation.run_one(fresh=True)
    prices(**{**shop, "p1": 121})
    fourth = installation.run_one(fresh=True)

    assert (first.rows, first.quarantined) == (10, 0)
    assert (second.rows, second.quarantined) == (10, 1)
    assert (doubled.accepted, doubled.origin) == (False, "last_good")
    assert (fourth.rows, fourth.quarantined) == (10, 0)
    with installation.system() as system:
        from operations.show import delivered

        table = delivered(system, "prices").table
    assert dict(zip(table["id"].to_pylist(), table["price"].to_pylist(), strict=True))["p1"] == 121


CODE = """
def plausible(frame):
    print("judging", len(frame))
    return frame["price"] < 10 * frame["price"].median()

def broken(frame):
    return frame["prize"] > 0
"""


def test_a_function_of_ones_own_judges_the_whole_batch(installation: Installation) -> None:
    """From a folder under `code`; its rows are quarantined; what it raises is told with its place."""
    (installation.folder / "my").mkdir()
    (installation.folder / "my" / "house_rules.py").write_text(CODE)
    text = "id,price\n" + "".join(f"{at},{1000 if at == 3 else 10}\n" for at in range(9))
    prices = csv(installation.folder, "prices", text)

    installation.configure({**prices, "rules": [{"python": "house_rules:plausible"}]}, code=["my"])
    done = installation.cli("run", "--fresh", "--json")
    broken = {"python": "house_rules:broken", "severity": "warning"}
    installation.configure({**prices, "rules": [broken]}, code=["my"])
    (told,) = installation.run("prices", fresh=True).datasets
    detail = installation.events("batch.accepted")[-1]["report"]["outcomes"][0]["detail"]
    installation.configure({**prices, "rules": [{"python": "house_rules:plausibel"}]}, code=["my"])
    with pytest.raises(ConfigError, match="module `house_rules` has no `plausibel`; did you mean `plausible`"):
        installation.run("prices")

    (dataset,) = done.json["datasets"]
    assert (dataset["status"], dataset["rows"], dataset["quarantined"]) == ("succeeded", 8, 1)
    assert "judging 9" in done.err
    assert [(rule.failed, rule.of) for rule in told.failed_rules] == [(9, 9)]
    assert detail.startswith("house_rules:broken failed with KeyError: 'prize' (")
    assert "house_rules.py:7)" in detail


def sales(installation: Installation, **rule: Any) -> dict[str, Any]:
    lines = [f"{at},big,1.5,open\n" for at in range(200)] + [
        "900,little,,open\n",
        "901,little,,open\n",
        "902,shut,,shut\n",
    ]
    by = {"not_null": "price", "by": "shop", "where": "state == 'open'", "tolerance": 0.05}
    text = "id,shop,price,state\n" + "".join(lines)
    return {**csv(installation.folder, "sales", text), "rules": [{**by, **rule}]}


def test_a_small_shop_that_sends_rubbish_is_not_hidden(installation: Installation) -> None:
    """`by` and `where` by configuration: the batch is held for one of three shops, though few rows are bad."""
    installation.configure(sales(installation, severity="critical"))

    done = installation.run_one()

    assert (done.status, done.accepted) == ("failed", False)
    assert [(rule.failed, rule.of) for rule in done.failed_rules] == [(2, 202)]


@pytest.mark.parametrize(
    "more", [{"severity": "critical"}, {"severity": "warning"}, {}], ids=["held", "warned", "accepted"]
)
@pytest.mark.parametrize("write", [{}, {"write": "append"}], ids=["replaced", "appended"])
def test_failing_segments_are_named_where_rows_are_kept_and_nowhere_else(
    installation: Installation, more: dict[str, str], write: dict[str, str]
) -> None:
    """The stored report names the shop; neither the log nor what readers get does."""
    installation.configure({**sales(installation, **more), **write})

    installation.run_one()

    with installation.system() as system:
        (version,) = system.views.versions("sales", limit=5)
        outcome = system.results.report(version).outcomes[0]
        events = [event for event in system.events.read() if "little" in str(event.data)]
        metadata = [batch.schema.metadata for batch in system.results.batches(version.path)]
    assert outcome.segments is not None
    assert [(one.values, one.failed, one.of) for one in outcome.segments.worst] == [(("little",), 2, 2)]
    assert (events, set(metadata)) == ([], {None})
