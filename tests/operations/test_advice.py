"""What to do about broken rules."""

import json
from pathlib import Path

import pytest
import yaml

from operations.advice import advice
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
    assert "is a column of the key missing? The value is 2. If that is normal" in finished.out


def test_advice_that_is_left_out_is_counted(tmp_path: Path):
    """Three lines a dataset; the others are not passed over in silence."""
    house = Installation(tmp_path)
    (tmp_path / "a.csv").write_text("v,w,x,y,z\n" + "1,1,1,1,1\n" * 9 + ",,,,\n")
    collect = {"kind": "file", "path": str(tmp_path / "a.csv")}
    house.configure({"name": "a", "collect": collect, "rules": [{"not_null": ["v", "w", "x", "y", "z"]}]})

    finished = house.cli("run")

    assert "a: 2 more broken, see `failed_rules` in `run --json`" in finished.out
    assert "a: 1 row quarantined" in finished.out


def test_advice_reads_what_was_set_aside_and_remembers_the_batches_before(tmp_path: Path):
    """The value that came up, where, since which run; pasted, the next batch is whole."""
    house, file = Installation(tmp_path), tmp_path / "a.csv"
    dataset = {"name": "a", "collect": {"kind": "file", "path": str(file), "reread": "always"}, "write": "replace"}
    rule = {"one_of": {"column": "state", "values": ["open", "paid"]}}
    warning = {"range": {"column": "id", "max": 95}, "severity": "warning"}
    house.configure({**dataset, "rules": [rule, warning]})
    file.write_text("id,state,shop\n" + "".join(f"{n},open,{n % 7}\n" for n in range(90)))
    house.run_one(fresh=True)
    file.write_text("id,state,shop\n" + "".join(f"{n},{'lent' if n > 90 else 'open'},{n % 7}\n" for n in range(100)))

    run = house.run_one(fresh=True)
    with house.system() as system:
        first, second = advice(system, "a")

    assert run.quarantined == 9
    assert "The value is 'lent'." in first.text
    assert "All 9 are the rows 92 to 100, without a gap." in first.text
    assert "This is new: the batch before kept it." in first.text
    assert first.saves == 9
    assert (second.rule, second.saves) == ("range(id)", None)

    house.configure({**dataset, "rules": [*yaml.safe_load(first.paste), warning]})
    assert house.run_one(fresh=True).quarantined == 0


@pytest.mark.parametrize("lost", ["quarantine", "datasets"])
def test_advice_is_given_also_when_the_rows_are_gone(tmp_path: Path, lost: str):
    """A file that was removed leaves the figures of the report; nobody is refused because of it."""
    house, file = Installation(tmp_path), tmp_path / "a.csv"
    file.write_text("id,v\n" + "".join(f"{n},{-4 if n < 6 else 1}\n" for n in range(60)))
    rule = {"range": {"column": "v", "min": 0}}
    house.configure({"name": "a", "collect": {"kind": "file", "path": str(file)}, "rules": [rule]})
    house.run_one()

    with house.system() as system:
        paths = [entry.path for entry in system.views.quarantined("a")]
        paths = paths if lost == "quarantine" else [version.path for version in system.views.versions("a")]
        for path in paths:
            system.storage.delete(path)
        (found,) = advice(system, "a")

    assert "6 of 60 rows (10 %) lie outside the bounds in `v`" in found.text
    assert found.paste == "- range: {column: v, min: 0, tolerance: 0.1}"


def test_of_large_batches_the_report_alone_speaks_where_quick_advice_is_asked_for(tmp_path: Path):
    """A run's own output must not take longer than the run; the figures are there all the same."""
    house, file = Installation(tmp_path), tmp_path / "a.csv"
    file.write_text("id,v,s\n" + "".join(f"{n},{-4 if n < 6 else 1},{'x' if n < 6 else 'y'}\n" for n in range(60)))
    rule = {"range": {"column": "v", "min": 0}}
    house.configure({"name": "a", "collect": {"kind": "file", "path": str(file)}, "rules": [rule]})
    house.run_one()

    with house.system() as system:
        kinds = {
            most: {finding.kind for finding in advice(system, "a", most_rows=most)[0].findings}
            for most in (None, 60, 59, 0)
        }

    assert kinds[None] == kinds[60] >= {"value", "segment", "place"}
    assert "value" in kinds[59]
    assert "segment" not in kinds[59]
    assert kinds[0] == set()


def test_a_thousand_broken_datasets_are_not_all_read(tmp_path: Path):
    """The first twenty are looked at; the others get what the report says."""
    house = Installation(tmp_path)
    (tmp_path / "a.csv").write_text("v\n1\n-4\n" + "1\n" * 8)
    rule = {"range": {"column": "v", "min": 0}}
    collect = {"kind": "file", "path": str(tmp_path / "a.csv")}
    house.configure(*[{"name": f"d{n:02}", "collect": collect, "rules": [rule]} for n in range(22)])

    finished = house.cli("run")

    told = [line for line in finished.out.splitlines() if "lie outside the bounds" in line]
    assert len(told) == 22
    assert sum("The value is -4." in line for line in told) == 20


def test_the_file_that_broken_rows_came_in_is_named(tmp_path: Path):
    """Of a dataset of several files, as the quarantined rows say it."""
    house = Installation(tmp_path)
    for name in ("a", "b", "c"):
        rows = "".join(f"{n},{-4 if name == 'b' and n < 6 else 1}\n" for n in range(60))
        (tmp_path / f"{name}.csv").write_text("id,v\n" + rows)
    rule = {"range": {"column": "v", "min": 0}}
    house.configure({"name": "a", "collect": {"kind": "file", "path": str(tmp_path / "*.csv")}, "rules": [rule]})

    house.run_one()

    with house.system() as system:
        (found,) = advice(system, "a")
    assert "All 6 came in 'b.csv', one of 3 files." in found.text


def test_when_the_good_content_comes_again_nothing_is_told_of_the_batch_held_meanwhile(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    """The bad day is over: run, status, why and report speak of what was sent last, and ask for no decision."""
    house = Installation(tmp_path)
    good = "id,value\n" + "".join(f"{number},{'' if number == 3 else number}\n" for number in range(20))
    rules = [{"not_null": "value"}, {"row_count": {"min": 20}, "severity": "critical"}]
    house.configure({"name": "a", "collect": {"kind": "file", "path": str(tmp_path / "a.csv")}, "rules": rules})

    def said(*arguments: str) -> str:
        house.typed(*arguments)
        return capfd.readouterr().out

    for sent in (good, "id,value\n1,\n2,\n", good):
        (tmp_path / "a.csv").write_text(sent)
        told = said("run", "--fresh")

    assert "not_null(value): 1 of 20 rows" in told
    assert "2 of 2" not in told
    shown = told.partition("quarantined, see `")[2].partition("`")[0]
    assert [row["id"] for row in json.loads(said(*shown.split(), "--json"))] == [3]
    assert "held" not in said("status")
    reasons = said("why", "a")
    assert "a is well" in reasons
    assert "accept a" not in reasons
    assert "2 of 2" not in reasons
    assert "1 of 20 rows (5 %) have no value" in said("report")


def test_a_batch_without_a_good_row_is_not_offered_for_acceptance(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    """`accept` would refuse it: there is nothing to deliver."""
    house = Installation(tmp_path)
    collect = {"kind": "file", "path": str(tmp_path / "a.csv")}
    house.configure({"name": "a", "collect": collect, "columns": {"v": "integer"}, "rules": [{"not_null": "v"}]})
    for sent in ("id,v\n1,1\n", "id,v\n1,\n2,\n"):
        (tmp_path / "a.csv").write_text(sent)
        house.typed("run", "--fresh")
        told = capfd.readouterr().out
    house.typed("why", "a")
    reasons = capfd.readouterr().out

    assert "no row of it is good: look at them with `quarantine show a`, then `reject a`" in told
    for said in (told, reasons):
        assert "reject a" in said
        assert "accept a" not in said


def test_a_reason_goes_on_without_a_full_stop(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    """A fault that is told in whole sentences is followed by what is served instead."""
    house = Installation(tmp_path)
    house.configure({"name": "a", "collect": {"kind": "file", "path": str(tmp_path / "a.csv")}})
    for sent in ("id\n1\n", "<html>please log in</html>"):
        (tmp_path / "a.csv").write_text(sent)
        house.typed("run", "--fresh")

    told = capfd.readouterr().out
    assert "login page; serving the last good copy" in told
