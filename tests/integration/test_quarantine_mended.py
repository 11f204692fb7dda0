"""Rows that were set aside come back as somebody mended them in a file."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_pipeline.errors import PipelineError
from operations.export import Format
from operations.quarantine import listed
from tests.integration.feed import Feed
from tests.integration.installation import Installation
from tests.integration.mending import ANY, GOOD, again, counts, export, mend, prices, shelf, stock


def test_cells_that_did_not_parse_are_mended_in_a_file(installation: Installation) -> None:
    """As text in CSV; what was not touched is not even read again, so nothing of it changes."""
    (installation.folder / "stock.csv").write_text(
        "id,price,name\n1,1.10,a\n2,n/a,  b \n3,3.30,c\n4,4.40,d\n5,-5,e\n"
        + "".join(f"{n},{n},x\n" for n in range(6, 12))
    )
    block = {"collect": {"kind": "file", "path": "stock.csv"}, "columns": {"price": {"type": "decimal", "scale": 0.01}}}
    installation.configure(stock(**block))
    assert installation.run_one().quarantined == 2
    path = mend(installation, "csv", lambda text: text.replace("n/a", "2.20"))

    found = again(installation, file=path)

    assert counts(found) == [(2, 1, 1)]
    (two,) = [row for row in installation.rows("stock") if row["id"] == 2]
    assert (str(two["price"]), two["name"]) == ("2.2000", "  b ")
    assert [str(price) for _, price in shelf(installation)[:3]] == ["0.0110", "2.2000", "0.0330"]


@pytest.mark.parametrize("suffix", ["json", "parquet"])
def test_files_with_types_are_taken_too(installation: Installation, feed: Feed, suffix: Format) -> None:
    """Values beyond 2^53, times, truths and lists come back as they went."""
    moment = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
    more = {"wide": 2**53 + 1, "at": moment, "on": True, "tags": ["a", "b"], "none": None, "text": ""}
    feed.rows = [{**row, **more} for row in prices(-1, *GOOD)]
    installation.configure(stock())
    installation.run_one()
    path = export(installation, suffix)
    if suffix == "json":
        (row,) = json.loads(path.read_text())
        path.write_text(json.dumps([{**row, "price": 1}]))
    else:
        table = pq.read_table(path)
        at = table.schema.get_field_index("price")
        pq.write_table(table.set_column(at, "price", [[1]]), path)

    again(installation, file=path)

    first, second, *_ = installation.rows("stock")
    assert first == {**second, "id": 1, "price": 1}
    assert first["wide"] == 2**53 + 1


def test_only_the_rows_of_the_file_are_replayed(installation: Installation, feed: Feed) -> None:
    """Of two rows of one key the file says which one is right; the other waits until it is dropped."""
    feed.rows = [*prices(*GOOD, 11, 12), {"id": 3, "price": 33}]
    installation.configure(stock({"unique": "id"}))
    installation.run_one()
    path = mend(installation, "csv", lambda text: "\n".join(line for line in text.splitlines() if ",33," not in line))
    both = again(installation)
    assert counts(both) == [(2, 0, 2)]

    found = again(installation, file=path)

    assert counts(found) == [(1, 1, 1)]
    assert shelf(installation) == [(row["id"], row["price"]) for row in prices(*GOOD, 11, 12)]
    assert again(installation, file=path).replays[0].missing == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("id,price\n9,1\n", "it has no column `_row`"),
        ("id,price,_row\n9,1,9\n", "it has no column `_batch`"),
        ("id,price,_batch,_row\n9,1,RUN,9\n9,2,RUN,9\n", "row 9 stands there twice"),
        ("id,prize,_batch,_row\n9,1,RUN,9\n", "have no column `prize`"),
        ("id,price,_batch,_row\n9,cheap,RUN,9\n", "row 9, column `price`: 'cheap' is no integer"),
        ("id,price,_batch,_row\n9,1,RUN,nine\n", "a value of `_row` is no row number"),
        ("id,price,_batch,_row\n9,1,r0,9\n", "no row of run r0 was ever in quarantine"),
    ],
    ids=["no number", "no run", "a row twice", "a strange column", "no value of its type", "odd number", "strange run"],
)
def test_a_file_that_says_not_which_rows_are_which_is_refused(
    installation: Installation, feed: Feed, content: str, words: str
) -> None:
    """With the file, the row and the column; nothing has changed."""
    feed.rows = prices(*GOOD, -1)
    installation.configure(stock())
    run = installation.run_one()
    path = installation.folder / "mine.csv"
    path.write_text(content.replace("RUN", str(run.version)))

    with pytest.raises(PipelineError, match=words):
        again(installation, file=path)

    assert installation.events("quarantine.replayed") == []


def test_columns_of_the_data_called_like_ours_come_back(installation: Installation, feed: Feed) -> None:
    """A column `_row` of the provider keeps its name and its values."""
    feed.rows = [{**row, "_row": f"r{row['id']}"} for row in prices(-1, *GOOD)]
    installation.configure(stock())
    installation.run_one()
    installation.configure(stock(ANY))

    again(installation)

    assert [row["_row"] for row in installation.rows("stock")] == [f"r{number}" for number in range(1, 10)]


def test_as_sent_cells_are_read_again_the_way_that_is_declared_now(installation: Installation) -> None:
    """A decimal comma that the configuration did not know; scale and format are put to each cell once."""
    lines = ["1,5;01.03.2026", "x;02.03.2026", *[f"{n};03.03.2026" for n in range(20, 30)]]
    (installation.folder / "stock.csv").write_text(
        "id;price;day\n" + "".join(f"{n};{t}\n" for n, t in enumerate(lines, 1))
    )
    columns = {"price": {"type": "float", "scale": 10}, "day": {"type": "date", "format": "%d.%m.%Y"}}
    block = {"collect": {"kind": "file", "path": "stock.csv"}, "columns": columns}
    floor = {"range": {"column": "id", "min": 2}}
    installation.configure(stock(floor, **block))
    assert installation.run_one().quarantined == 2
    installation.configure(stock(**block, parse={"decimal": ","}))

    found = again(installation)

    assert counts(found) == [(2, 1, 1)]
    first = installation.rows("stock")[0]
    assert (first["id"], first["price"], str(first["day"])) == (1, 15.0, "2026-03-01")


# Files of an earlier release


def test_rows_that_an_earlier_release_set_aside_come_back(installation: Installation) -> None:
    """Their file does not say which of its texts are as sent."""
    (installation.folder / "stock.csv").write_text(
        "id,price,day\n1,x,01.03.2026\n2,-2,02.03.2026\n" + "".join(f"{n},{n},03.03.2026\n" for n in range(3, 12))
    )
    columns = {"price": "float", "day": {"type": "date", "format": "%d.%m.%Y"}}
    block = {"collect": {"kind": "file", "path": "stock.csv"}, "columns": columns}
    installation.configure(stock(**block))
    installation.run_one()
    with installation.system() as system:
        (entry,) = listed(system)
        path = system.storage.local_path(entry.path)
        with system.storage.open(entry.path) as file:
            old = pq.read_table(file).drop_columns(["_batch", "_raw"])
        system.storage.delete(entry.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(old, path)
    again(installation, file=mend(installation, "csv", lambda text: text.replace("1,x", "1,1.5")))

    installation.configure(stock(ANY, **block))
    again(installation)

    assert shelf(installation)[:3] == [(1, 1.5), (2, -2.0), (3, 3.0)]
    assert {str(row["day"]) for row in installation.rows("stock")} == {"2026-03-01", "2026-03-02", "2026-03-03"}


def test_a_file_may_hold_rows_of_several_runs(installation: Installation, feed: Feed) -> None:
    """Each goes to its own batch."""
    installation.configure(stock(write="append"))
    for start in (1, 20):
        feed.rows = prices(*GOOD, -1, start=start)
        installation.run_one(fresh=True)
    path = installation.folder / "rows.csv"
    with installation.system() as system:
        runs = [entry.run_id for entry in listed(system)]
    path.write_text("id,price,_batch,_row\n" + f"28,2,{runs[0]},9\n9,1,{runs[1]},9\n")

    found = again(installation, file=path)

    assert counts(found) == [(1, 1, 0), (1, 1, 0)]
    assert shelf(installation)[-2:] == [(9, 1), (28, 2)]


def test_nested_values_pass_through_a_file_untouched(installation: Installation) -> None:
    """As JSON in a cell; to mend one of them there is no form."""
    sent = pa.table({"id": range(1, 10), "price": [-1, *GOOD], "tags": [[1, 2]] * 9})
    pq.write_table(sent, installation.folder / "stock.parquet")
    installation.configure(stock(collect={"kind": "file", "path": "stock.parquet"}))
    installation.run_one()
    before = mend(installation, "json", lambda text: text.replace('"price":-1', '"price":1'))
    other = before.with_name("other.json")
    other.write_text(before.read_text().replace("[1,2]", "[1,3]"))

    with pytest.raises(PipelineError, match="column `tags` holds list"):
        again(installation, file=other)
    again(installation, file=before)

    assert installation.rows("stock")[0] == {"id": 1, "price": 1, "tags": [1, 2]}
