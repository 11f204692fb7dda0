"""Files: what is hashed is what is parsed, and what is missing is told with the way out."""

import hashlib
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from data_pipeline.collect import file as file_module
from data_pipeline.collect.file import FileCollector, Options
from data_pipeline.dataset import Collected
from data_pipeline.errors import ProviderRefused, ProviderUnavailable
from tests.data_pipeline.collect.requests import Calls, make_request


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

    monkeypatch.setattr(file_module.hashlib, "sha256", growing_once)
    with pytest.raises(ProviderUnavailable, match="changed while it was read"):
        collect("a.csv", tmp_path)
    grown.clear()
    path.write_bytes(b"1,")
    collected = collect("a.csv", tmp_path, call=Calls(tries=2))
    assert (content(collected), collected.provenance.attempts) == ([b"1,2\n"], 2)


def test_a_large_file_must_not_change_before_it_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are held in memory; a large one is read again, and only if it is still the one that was hashed."""
    monkeypatch.setattr(file_module, "MEMORY", 10)
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
        ({"path": "a.csv", "reread": "always"}, "not supported yet"),
        ({"path": "a.csv", "ready": "*.done"}, "not supported yet"),
        ({"path": "a.csv", "stable_for": "5s"}, "not supported yet"),
        ({"path": "a.zip!*.csv"}, "not supported yet"),
        ({"path": "file:///a.csv"}, "write a path"),
        ({"path": "{cursor}.csv"}, "not supported yet"),
        ({"path": ""}, "at least 1"),
        ({"path": "a\0b"}, "null character"),
        ({"path": "a", "base": "/"}, "Extra inputs"),
    ],
)
def test_wrong_options_say_what_is_wrong(given: dict[str, Any], words: str) -> None:
    """Everything a user can get wrong is found when the configuration is read."""
    with pytest.raises(ValidationError, match=words):
        Options.model_validate(given)


def test_the_defaults_of_later_keys_may_be_written_out() -> None:
    """What this version does anyway is not refused."""
    assert Options.model_validate({"path": "a", "reread": "changed", "stable_for": "0s"}).path == "a"
