"""Files: what is hashed is what is parsed, and what is missing is told with the way out."""

import hashlib
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from data_pipeline.collect.files import local as local_module
from data_pipeline.collect.files.file import FileCollector, Options
from data_pipeline.collect.files.listing import Budget
from data_pipeline.collect.placeholders import Partition
from data_pipeline.dataset import Collected
from data_pipeline.errors import ProviderRefused, ProviderUnavailable
from tests.data_pipeline.collect.requests import Calls, make_request
from utils.resilience.errors import DeadlineExceededError


def collect(path: str, base: Path, **request: Any) -> Collected:
    """Collect `path`, named by a configuration file in `base`."""
    collector = FileCollector()
    options = Options(path=path)
    provider = collector.provider_of(options, "rates")
    return collector.collect(make_request(options, base / "spool", base=base, provider=provider, **request))


def content(collected: Collected) -> list[bytes]:
    found = []
    for payload in collected.payloads:
        with payload.open() as stream:
            found.append(stream.read())
    return found


def test_a_file_comes_with_its_figures(tmp_path: Path) -> None:
    """Bytes, hash, size, name, and the moment it was written."""
    (tmp_path / "a.csv").write_bytes(b"id\n1\n")
    os.utime(tmp_path / "a.csv", (0, 1_700_000_000))
    collected = collect("a.csv", tmp_path)
    provenance = collected.provenance
    assert content(collected) == [b"id\n1\n"]
    assert provenance.content_sha256 == collected.payloads[0].sha256 == hashlib.sha256(b"id\n1\n").hexdigest()
    assert (provenance.provider, provenance.size, provenance.attempts) == ("file", 5, 1)
    assert provenance.last_modified == datetime.fromtimestamp(1_700_000_000, UTC)
    assert (provenance.source, collected.payloads[0].name) == (str(tmp_path / "a.csv"), "a.csv")


def test_a_pattern_brings_its_files_by_name(tmp_path: Path) -> None:
    """Sorted, each a request of its own; folders are no files; the newest file tells the moment."""
    (tmp_path / "in").mkdir()
    for name, moment in (("b.csv", 2000), ("a.csv", 3000), ("c.txt", 9000)):
        (tmp_path / "in" / name).write_text(name)
        os.utime(tmp_path / "in" / name, (0, moment))
    (tmp_path / "in" / "d.csv").mkdir()
    calls = Calls()
    collected = collect("in/*.csv", tmp_path, call=calls)
    assert content(collected) == [b"a.csv", b"b.csv"]
    assert calls.providers == ["file", "file"]
    assert collected.provenance.last_modified == datetime.fromtimestamp(3000, UTC)
    assert collect("**/*.csv", tmp_path).provenance.content_sha256 == collected.provenance.content_sha256


def test_a_moment_may_stand_in_the_path_and_a_path_may_be_absolute(tmp_path: Path) -> None:
    """`rates_{now:%Y%m%d}.csv` is the run's day; an absolute path needs no base."""
    (tmp_path / "rates_20260301.csv").write_bytes(b"x")
    assert content(collect("rates_{now:%Y%m%d}.csv", tmp_path)) == [b"x"]
    assert content(collect(str(tmp_path / "rates_{run_date:%Y%m%d}.csv"), Path("/nowhere"))) == [b"x"]


def test_brackets_in_a_files_own_name_are_taken_as_they_are(tmp_path: Path) -> None:
    """A file that exists is meant before a pattern is."""
    (tmp_path / "a[1].csv").write_bytes(b"x")
    assert content(collect("a[1].csv", tmp_path)) == [b"x"]


@pytest.mark.parametrize(
    ("path", "words", "hint"),
    [
        ("rates.cvs", "there is no file", "did you mean .*rates.csv"),
        ("none/rates.csv", "there is no file", "the folder .*none does not exist"),
        ("*.xml", "no file matches", "a relative path starts at"),
        (".", "is a folder", r"\*.csv"),
    ],
)
def test_what_is_not_there_is_told_with_the_way_out(tmp_path: Path, path: str, words: str, hint: str) -> None:
    """The absolute path, the nearest name, and what to do; another try would not help."""
    (tmp_path / "rates.csv").write_bytes(b"x")
    with pytest.raises(ProviderRefused, match=words) as caught:
        collect(path, tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert not caught.value.transient
    assert re.search(hint, caught.value.hint)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    """A device or pipe has no end that could be waited for."""
    read, write = os.pipe()
    try:
        with pytest.raises(ProviderRefused, match="no regular file"):
            collect(f"/dev/fd/{read}", tmp_path)
    finally:
        os.close(read)
        os.close(write)


def test_a_pipe_that_nobody_writes_to_is_refused_too(tmp_path: Path) -> None:
    """Opening it must not wait for a writer."""
    os.mkfifo(tmp_path / "pipe.csv")

    with pytest.raises(ProviderRefused, match="no regular file"):
        collect("pipe.csv", tmp_path)


def test_a_file_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the file and the user."""
    (tmp_path / "a.csv").write_bytes(b"x")

    def denied(*_args: object, **_more: object) -> None:
        raise PermissionError(13, "Permission denied")

    # Tests may run as root, who may read everything.
    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(ProviderRefused, match="permission denied") as caught:
        collect("a.csv", tmp_path)
    assert "right to read" in caught.value.hint


def test_a_file_that_grows_while_it_is_read_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half-written files are not taken; the next try, when it is still, is."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"1,")
    real, grown = hashlib.sha256, []

    def growing_once(*args: Any) -> Any:
        if not grown:
            grown.append(True)
            path.write_bytes(b"1,2\n")
        return real(*args)

    monkeypatch.setattr(local_module.hashlib, "sha256", growing_once)
    with pytest.raises(ProviderUnavailable, match="changed while it was read"):
        collect("a.csv", tmp_path)
    grown.clear()
    path.write_bytes(b"1,")
    collected = collect("a.csv", tmp_path, call=Calls(tries=2))
    assert (content(collected), collected.provenance.attempts) == ([b"1,2\n"], 2)


def test_a_large_file_must_not_change_before_it_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are held in memory; a large one is read again, and only if it is still the one that was hashed."""
    monkeypatch.setattr(local_module, "MEMORY", 10)
    path = tmp_path / "a.csv"
    path.write_bytes(b"x" * 11)
    collected = collect("a.csv", tmp_path)
    assert content(collected) == [b"x" * 11]
    path.write_bytes(b"y" * 12)
    with pytest.raises(ProviderUnavailable, match="changed"):
        collected.payloads[0].open()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"path": "a.csv", "reread": "sometimes"}, "'changed', 'always' or 'never'"),
        ({"path": "a.csv", "ready": "*"}, "a marker"),
        ({"path": "a.csv", "ready": "../READY"}, "a marker"),
        ({"path": "a.csv", "ready": "*.do?e"}, "a marker"),
        ({"path": "a.csv", "stable_for": "5"}, "duration"),
        ({"path": "a.zip!"}, "name the members"),
        ({"path": "file:///a.csv"}, "write a path"),
        ({"path": "s3://bucket/a.csv"}, "object_store"),
        ({"path": "{today}.csv"}, "unknown placeholder"),
        ({"path": ""}, "at least 1"),
        ({"path": "a\0b"}, "null character"),
        ({"path": "a", "base": "/"}, "Extra inputs"),
    ],
)
def test_wrong_options_say_what_is_wrong(given: dict[str, Any], words: str) -> None:
    """Everything a user can get wrong is found when the configuration is read."""
    with pytest.raises(ValidationError, match=words):
        Options.model_validate(given)


def test_a_cursor_and_a_partition_may_stand_in_the_path_and_mean_only_themselves(tmp_path: Path) -> None:
    """In a pattern, a star inside a value is no wildcard; a value cannot lead out of its folder."""
    (tmp_path / "a*_1.csv").write_bytes(b"x")
    (tmp_path / "ab_1.csv").write_bytes(b"y")
    assert content(collect("{partition.key}_*.csv", tmp_path, partition=Partition("a*"))) == [b"x"]
    assert content(collect("{cursor}.csv", tmp_path, cursor="ab_1")) == [b"y"]
    with pytest.raises(ProviderRefused, match="leads out of its folder"):
        collect("{cursor}.csv", tmp_path, cursor="../secret")
    with pytest.raises(ProviderRefused, match="needs `partition`"):
        collect("{partition.key}.csv", tmp_path)


def test_a_file_whose_name_is_no_text_is_read_as_well(tmp_path: Path) -> None:
    """Of an old disk, of an archive: it is written down with the bytes of its name."""
    (tmp_path / "a.csv").write_text("a")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv")).write_text("b")
    collected = collect("*.csv", tmp_path, only_new=True)

    assert content(collected) == [b"a", b"b"]
    assert [Path(seen.path).name for seen in collected.provenance.files] == ["a.csv", "caf\\xe9.csv"]
    assert collected.payloads[1].name == "caf\\xe9.csv"


def test_a_file_that_cannot_be_read_costs_only_itself(tmp_path: Path) -> None:
    """The others are kept, partial, with a note that names it; when none is left, its error is told."""
    for name in ("a.csv", "b.csv", "c.csv"):
        (tmp_path / name).write_text(name)
    gone = ProviderUnavailable("rates: b.csv went away while it was read")
    collected = collect("*.csv", tmp_path, call=Calls(fail_at={2: gone}))
    assert (content(collected), collected.provenance.partial) == ([b"a.csv", b"c.csv"], True)
    assert [Path(seen.path).name for seen in collected.provenance.files] == ["a.csv", "c.csv"]
    assert any("b.csv was not read" in note for note in collected.provenance.notes)
    with pytest.raises(ProviderUnavailable, match=r"b\.csv went away"):
        collect("b.csv", tmp_path, call=Calls(fail_at={1: gone}))


def test_when_the_provider_is_not_to_be_asked_any_more_the_rest_is_left(tmp_path: Path) -> None:
    """A deadline that is over ends the collection, with what came before."""
    for name in ("a.csv", "b.csv", "c.csv"):
        (tmp_path / name).write_text(name)
    calls = Calls(fail_at={2: DeadlineExceededError("file", "file: the deadline of 1 s is over")})
    collected = collect("*.csv", tmp_path, call=calls)
    assert (content(collected), len(calls.providers), collected.provenance.partial) == ([b"a.csv"], 2, True)


def test_many_small_files_do_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the budget of all files together, a small file is read again from where it lies."""
    monkeypatch.setattr(Budget.__init__, "__defaults__", (3,))
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_bytes(b"xy")
    collected = collect("*.csv", tmp_path)
    (tmp_path / "a.csv").write_bytes(b"held")
    (tmp_path / "b.csv").write_bytes(b"not held")
    assert collected.payloads[0].open().read() == b"xy"
    with pytest.raises(ProviderUnavailable, match="changed"):
        collected.payloads[1].open()
