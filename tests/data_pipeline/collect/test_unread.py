"""Which files are read: markers, rest, and the ledger of what was read before."""

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.collect.files.file import FileCollector, Options
from data_pipeline.collect.files.listing import Found
from data_pipeline.collect.files.unread import fingerprint, not_read_yet, ready_files
from data_pipeline.collect.placeholders import Partition
from data_pipeline.dataset import Collected, FileSeen
from data_pipeline.errors import ProviderRefused, ProviderUnavailable
from tests.data_pipeline.collect.requests import Calls, make_request
from utils.clock import ManualClock

OLD = 1_700_000_000
CLOCK = datetime(2026, 3, 1, tzinfo=UTC)


def write(folder: Path, *names: str, content: str = "", modified: float = OLD) -> None:
    """Files that were written long ago."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content or name)
        os.utime(path, (modified, modified))


class Table:
    """A dataset over several runs: remembers ledger and validators as the line does for accepted batches."""

    def __init__(self, folder: Path, *, only_new: bool = True, **keys: Any) -> None:
        self.folder, self.only_new = folder, only_new
        self.options = Options(**keys)
        self.ledger: dict[str, FileSeen] = {}
        self.validators: Mapping[str, str] = {}

    def run(self, **more: Any) -> Collected:
        given: dict[str, Any] = {
            "base": self.folder,
            "provider": "file",
            "clock": ManualClock(start=CLOCK),
            "ledger": lambda: self.ledger,
            "validators": self.validators,
            "only_new": self.only_new,
            **more,
        }
        collected = FileCollector().collect(make_request(self.options, self.folder / "spool", **given))
        self.ledger |= {seen.path: seen for seen in collected.provenance.files}
        if not collected.not_modified:
            self.validators = dict(collected.provenance.validators)
        return collected

    def names(self, **more: Any) -> list[str]:
        return [payload.name for payload in self.run(**more).payloads]


def test_each_run_of_an_accumulating_table_brings_only_what_is_new(tmp_path: Path) -> None:
    """A file that was read is left out; when nothing is new, nothing is modified."""
    table = Table(tmp_path, path="in/*.csv")
    write(tmp_path, "in/a.csv", "in/b.csv")
    assert table.names() == ["a.csv", "b.csv"]
    assert table.run().not_modified
    write(tmp_path, "in/c.csv")
    assert table.names() == ["c.csv"]


def test_an_emptied_inbox_is_no_news_but_a_lost_folder_is_an_error(tmp_path: Path) -> None:
    """Who takes the files away after reading them leaves nothing to read; a folder that is not there is a fault."""
    table = Table(tmp_path, path="in/*.csv")
    with pytest.raises(ProviderRefused, match="no file matches"):
        table.run()
    write(tmp_path, "in/a.csv")
    table.run()
    (tmp_path / "in/a.csv").unlink()
    collected = table.run()
    assert collected.not_modified
    assert "no file matches" in collected.provenance.notes[0]
    (tmp_path / "in").rmdir()
    with pytest.raises(ProviderRefused, match="no file matches") as caught:
        table.run()
    assert "does not exist" in caught.value.hint


def test_a_changed_file_is_read_again_and_a_touched_one_is_not_news(tmp_path: Path) -> None:
    """Size or time differ: the content decides. A touched file is remembered with its new time."""
    table = Table(tmp_path, path="*.csv")
    write(tmp_path, "a.csv", "b.csv")
    table.run()
    write(tmp_path, "a.csv", modified=OLD + 60)
    touched = table.run()
    assert touched.not_modified
    assert [seen.modified for seen in touched.provenance.files] == [OLD + 60]
    write(tmp_path, "b.csv", content="new", modified=OLD + 60)
    changed = table.run()
    assert [payload.name for payload in changed.payloads] == ["b.csv"]
    assert any("changed since it was read" in note for note in changed.provenance.notes)


@pytest.mark.parametrize(
    ("reread", "second"), [("never", []), ("always", ["a.csv"])], ids=["never: once a path", "always: each run"]
)
def test_reread_decides_about_files_that_were_read(tmp_path: Path, reread: str, second: list[str]) -> None:
    """`never` does not look at a changed file, `always` reads an unchanged one."""
    table = Table(tmp_path, path="*.csv", reread=reread)
    write(tmp_path, "a.csv")
    table.run()
    if reread == "never":
        write(tmp_path, "a.csv", content="longer than before", modified=OLD + 60)
    assert table.names() == second


def test_full_reads_everything_again(tmp_path: Path) -> None:
    """As if nothing had been read before."""
    table = Table(tmp_path, path="*.csv")
    write(tmp_path, "a.csv")
    table.run()
    assert table.names(full=True) == ["a.csv"]


def test_a_replaced_table_gets_all_files_or_hears_that_none_changed(tmp_path: Path) -> None:
    """The batch is the table: one new or lost file brings all that are there; the same listing brings none."""
    table = Table(tmp_path, only_new=False, path="*.csv")
    write(tmp_path, "a.csv", "b.csv")
    assert table.names() == ["a.csv", "b.csv"]
    assert table.run().not_modified
    write(tmp_path, "c.csv")
    assert table.names() == ["a.csv", "b.csv", "c.csv"]
    (tmp_path / "a.csv").unlink()
    assert table.names() == ["b.csv", "c.csv"]
    assert table.names(full=True) == ["b.csv", "c.csv"]


def test_a_single_file_is_always_read_and_a_young_listing_is_not_trusted(tmp_path: Path) -> None:
    """Equal times prove nothing while a file may still change within the clock's step."""
    single = Table(tmp_path, only_new=False, path="a.csv")
    write(tmp_path, "a.csv")
    assert [single.names(), single.names()] == [["a.csv"], ["a.csv"]]
    young = Table(tmp_path, only_new=False, path="*.csv")
    write(tmp_path, "a.csv", modified=CLOCK.timestamp() - 1)
    assert [young.names(), young.names()] == [["a.csv"], ["a.csv"]]


def test_what_came_partly_is_asked_for_again(tmp_path: Path) -> None:
    """A partial batch hands out no fingerprint of its listing."""
    table = Table(tmp_path, only_new=False, path="*.csv")
    write(tmp_path, "a.csv", "b.csv")
    assert table.names(call=Calls(fail_at={2: ProviderUnavailable("gone")})) == ["a.csv"]
    assert table.names() == ["a.csv", "b.csv"]


@pytest.mark.parametrize(
    ("ready", "marker"),
    [
        ("*.done", "in/rates.csv.gz.done"),
        ("*.done", "in/rates.csv.done"),
        ("*.done", "in/rates.done"),
        ("_SUCCESS", "in/_SUCCESS"),
        ("flags/*.ok", "in/flags/rates.ok"),
        ("{run_date:%Y}.ready", "in/2026.ready"),
    ],
    ids=["whole name", "without .gz", "stem", "one for the folder", "in a folder below", "with a moment"],
)
def test_a_file_is_taken_when_its_marker_is_there(tmp_path: Path, ready: str, marker: str) -> None:
    """Before, a dataset that never had data waits; the marker is no data itself."""
    table = Table(tmp_path, path="in/*", ready=ready)
    write(tmp_path, "in/rates.csv.gz")
    with pytest.raises(ProviderUnavailable, match="waits for marker") as caught:
        table.run()
    assert caught.value.transient
    write(tmp_path, marker)
    assert table.names() == ["rates.csv.gz"]


def test_files_without_marker_are_left_with_a_note(tmp_path: Path) -> None:
    """What is ready is read; the others come with the run after their marker."""
    table = Table(tmp_path, path="in/*.csv", ready="*.done")
    write(tmp_path, "in/a.csv", "in/a.done", "in/b.csv")
    collected = table.run()
    assert [payload.name for payload in collected.payloads] == ["a.csv"]
    assert collected.provenance.notes == ("1 file waits for marker `*.done`: b.csv",)
    assert table.run().not_modified
    write(tmp_path, "in/b.done")
    assert table.names() == ["b.csv"]


@pytest.mark.parametrize("only_new", [True, False], ids=["appended", "replaced"])
def test_once_there_is_data_a_missing_marker_is_no_failure(tmp_path: Path, only_new: bool) -> None:
    """The next day's folder, or its marker, is not there yet: nothing new, and it is said."""
    table = Table(tmp_path, only_new=only_new, path="dt={run_date}/*.csv", ready="_SUCCESS")
    write(tmp_path, "dt=2026-03-01/a.csv", "dt=2026-03-01/_SUCCESS")
    assert table.names() == ["a.csv"]
    later = datetime(2026, 3, 2, tzinfo=UTC)
    waiting = table.run(now=later)
    assert waiting.not_modified
    assert waiting.provenance.notes
    write(tmp_path, "dt=2026-03-02/b.csv")
    assert table.run(now=later).not_modified
    write(tmp_path, "dt=2026-03-02/_SUCCESS")
    assert table.names(now=later) == ["b.csv"]


def test_a_single_replaced_file_may_wait_for_its_marker_each_night(tmp_path: Path) -> None:
    """The marker is taken away and comes back: in between there is nothing new, and no ledger is needed to know."""
    table = Table(tmp_path, only_new=False, path="a.csv", ready="*.done")
    write(tmp_path, "a.csv", "a.done")
    assert table.names(ledger=dict) == ["a.csv"]
    (tmp_path / "a.done").unlink()
    assert table.run(ledger=dict).not_modified
    write(tmp_path, "a.done")
    assert table.names(ledger=dict) == ["a.csv"]


def test_a_piece_that_is_not_ready_never_passes_for_one_that_was_read(tmp_path: Path) -> None:
    """Of a partitioned table each piece must come; that others did does not help it."""
    table = Table(tmp_path, only_new=False, path="dt={partition.key}/*.csv", ready="_SUCCESS")
    write(tmp_path, "dt=1/a.csv", "dt=1/_SUCCESS", "dt=2/b.csv")
    assert table.names(partition=Partition("1")) == ["a.csv"]
    with pytest.raises(ProviderUnavailable, match="waits for marker"):
        table.run(partition=Partition("2"))


def test_nothing_there_at_all_waits_for_the_marker_too(tmp_path: Path) -> None:
    """Neither file nor marker: another try makes sense, and the message says what is waited for."""
    with pytest.raises(ProviderUnavailable, match="waiting for its marker `READY`"):
        Table(tmp_path, path="dt={run_date}/*.csv", ready="READY").run()


def test_a_ledger_of_another_place_does_not_count(tmp_path: Path) -> None:
    """After `path` was changed, what was read elsewhere must not pass for data of the new place."""
    table = Table(tmp_path, path="new/*.csv", ready="*.done")
    table.ledger = {"/old/a.csv": FileSeen("/old/a.csv", 1, OLD, "")}
    write(tmp_path, "new/a.csv")
    with pytest.raises(ProviderUnavailable, match="waits for marker"):
        table.run()


def test_a_file_that_changed_a_moment_ago_is_left_for_the_next_run(tmp_path: Path) -> None:
    """`stable_for` counts from the file's time to the run's clock."""
    table = Table(tmp_path, path="*.csv", stable_for="5m")
    write(tmp_path, "a.csv", modified=CLOCK.timestamp() - 299)
    with pytest.raises(ProviderUnavailable, match="until unchanged for 5m"):
        table.run()
    write(tmp_path, "b.csv", modified=CLOCK.timestamp() - 300)
    assert table.names() == ["b.csv"]


FILES = st.lists(
    st.builds(Found, st.sampled_from([f"/in/{name}.csv" for name in "abcdef"]), st.integers(0, 9), st.integers(0, 9)),
    unique_by=lambda file: file.path,
)


@given(FILES, st.sampled_from(["changed", "never", "always"]))
def test_what_was_read_is_not_read_again_unless_always(files: list[Found], reread: str) -> None:
    """A ledger that holds the very files leaves none to read; an empty one leaves all."""
    ledger = {file.path: FileSeen(file.path, file.size, file.modified or 0.0, "") for file in files}
    assert list(not_read_yet(files, {}, reread)) == files
    assert list(not_read_yet(files, ledger, reread)) == (files if reread == "always" else [])


@given(FILES, st.data())
def test_fingerprints_are_equal_for_equal_listings_in_any_order(files: list[Found], data: st.DataObject) -> None:
    """And differ as soon as one file is larger."""
    mark = fingerprint(files, "changed", 100.0)
    assert mark == fingerprint(data.draw(st.permutations(files)), "changed", 100.0)
    if files:
        assert mark != fingerprint([replace(files[0], size=10), *files[1:]], "changed", 100.0)


@given(FILES, st.sets(st.sampled_from("abcdef")))
def test_with_markers_exactly_the_marked_files_are_ready(files: list[Found], marked: set[str]) -> None:
    """No file is lost or doubled between ready and waiting."""
    names = {f"{name}.done" for name in marked}
    ready = ready_files(files, marker="*.done", names=lambda _folder: names, stable_for=0, now=0)
    assert [file.name for file in ready.files] == [file.name for file in files if file.name[0] in marked]
    assert bool(ready.notes) == (len(ready.files) < len(files))
