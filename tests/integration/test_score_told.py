"""What a score is made of, as programs read it: at delivery, when a copy is confirmed, and on the whole table."""

from pathlib import Path

import pytest

from tests.integration.installation import Installation

RULES = [{"not_null": "id"}, {"range": {"column": "v", "min": 0}, "tolerance": 0.5}, {"row_count": {"min": 1}}]


def house_of(folder: Path, **more: object) -> Installation:
    house = Installation(folder)
    (folder / "a.csv").write_text("id,v,w\n1,5,x\n2,-5,x\n3,,x\n4,1,x\n5,1,x\n6,1,x\n")
    collect = {"kind": "file", "path": str(folder / "a.csv"), "reread": "always"}
    house.configure({"name": "a", "collect": collect, "rules": RULES, **more})
    return house


def test_run_tells_the_sums_of_a_score_and_the_columns_that_rules_speak_of(tmp_path: Path):
    """Nulls are not judged by the range; two of three columns have a rule."""
    house = house_of(tmp_path)

    (told,) = house.cli("run", "--json").json["datasets"]

    quality = told["quality"]
    assert quality["parts"] == {
        "completeness": {"numerator": 3.0, "denominator": 3.0, "rules": 1},
        "validity": {"numerator": pytest.approx(2.4), "denominator": 3.0, "rules": 1},
        "volume": {"numerator": 3.0, "denominator": 3.0, "rules": 1},
    }
    assert (quality["numerator"], quality["denominator"]) == (pytest.approx(8.4), 9.0)
    assert (quality["score"], quality["rules"]) == (93.3, 3)
    assert quality["coverage"] == {"with_rules": 2, "columns": 3}


@pytest.mark.parametrize("again", [{"fresh": True}, {}], ids=["the same bytes", "within the TTL"])
def test_a_copy_that_is_served_tells_the_same_of_its_score(tmp_path: Path, again: dict[str, bool]):
    """The columns of a batch that is not parsed again are known from when it was."""
    house = house_of(tmp_path)
    first = house.run_one()

    second = house.run_one(**again)

    assert first.quality is not None
    assert first.quality.coverage is not None
    assert second.quality == first.quality


def test_rules_on_the_whole_table_count_too(tmp_path: Path):
    """A rule of the table covers its column, and is one more in the sums."""
    rules = [*RULES, {"unique": "w", "scope": "dataset", "severity": "warning"}]
    house = house_of(tmp_path, write="merge", key=["id"], rules=rules)

    quality = house.run_one().quality

    assert quality is not None
    assert (quality.rules, quality.coverage) == (4, (3, 3))
    assert quality.parts["uniqueness"] == (0.0, 1.0, 1)
