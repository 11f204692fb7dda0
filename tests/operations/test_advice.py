"""What to do about broken rules."""

from pathlib import Path

from tests.integration.installation import Installation


def test_a_broken_rule_is_advised_upon_with_the_line_to_paste(tmp_path: Path):
    """The run prints what to look at; a clean dataset needs no advice."""
    house = Installation(tmp_path)
    rows = "".join(f"{number},{'' if number == 3 else number}\n" for number in range(20))
    (tmp_path / "a.csv").write_text("id,value\n" + rows)
    house.configure(
        {
            "name": "a",
            "collect": {"kind": "file", "path": str(tmp_path / "a.csv")},
            "parse": {"format": "csv"},
            "rules": [{"not_null": ["value"]}, {"unique": "id"}],
        }
    )

    finished = house.cli("run")

    assert finished.code == 0
    assert "a: not_null(value): 1 of 20 rows (5 %) have no value in `value`" in finished.out
    assert "tolerance: 0.05" in finished.out
    assert "unique(id)" not in finished.out
