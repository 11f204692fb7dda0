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


def test_a_run_tells_what_could_not_be_found(tmp_path: Path):
    """A data time that names no column leaves the age unknown; whoever runs it must read so."""
    house = Installation(tmp_path)
    (tmp_path / "a.csv").write_text("id\n1\n2\n2\n")
    collect = {"kind": "file", "path": str(tmp_path / "a.csv")}
    house.configure(
        {"name": "a", "collect": collect, "data_time": "day", "on_fail": "publish", "rules": [{"unique": "id"}]}
    )

    finished = house.cli("run")

    assert "a: note: data_time: there is no column `day`\n" in finished.out
    assert "is a column of the key missing? If that is normal" in finished.out


def test_advice_that_is_left_out_is_counted(tmp_path: Path):
    """Three lines a dataset; the others are not passed over in silence."""
    house = Installation(tmp_path)
    (tmp_path / "a.csv").write_text("v,w,x,y,z\n" + "1,1,1,1,1\n" * 9 + ",,,,\n")
    collect = {"kind": "file", "path": str(tmp_path / "a.csv")}
    house.configure({"name": "a", "collect": collect, "rules": [{"not_null": ["v", "w", "x", "y", "z"]}]})

    finished = house.cli("run")

    assert "a: 2 more broken, see `failed_rules` in `run --json`" in finished.out
    assert "a: 1 row quarantined" in finished.out
