"""Structured logging: to stderr, to text, to JSON lines; rotated, redacted, and out of the way."""

import asyncio
import gzip
import json
import logging
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import PROCESSES
from utils.clock import ManualClock
from utils.logger import close, configure, get_logger, set_incidents, timed


@pytest.fixture(autouse=True)
def silence_afterwards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("NO_COLOR", raising=False)
    yield
    set_incidents({})
    configure("WARNING", "off")


@pytest.fixture(params=["alone", "heard by others"])
def listeners(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether a handler that is not ours sees the records too (pytest's own does): then they go another way."""
    if request.param == "alone":
        monkeypatch.setattr(logging.root, "handlers", [])
    return str(request.param)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_nothing_heavy_is_imported_and_no_file_made(tmp_path: Path) -> None:
    """A program that configures logging and logs nothing has no folder and no structlog, rich or pandas."""
    code = (
        "import sys; from pathlib import Path; from utils.logger import configure, get_logger\n"
        f"configure('INFO', directory=Path({str(tmp_path / 'logs')!r})); get_logger('quiet').debug('not shown')\n"
        "assert not {'structlog', 'rich', 'pandas', 'orjson', 'gzip'} & set(sys.modules) - {'gzip'}"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, check=True)

    assert done.stderr == done.stdout == b""
    assert list(tmp_path.iterdir()) == []


def test_a_record_goes_to_console_text_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], listeners: str
) -> None:
    """One event, three forms, in the component's own files; nothing on stdout."""
    configure("INFO", directory=tmp_path / "logs", clock=ManualClock())

    get_logger("collect").info("dataset.collected", dataset="fx", rows=31, note="two words", part=None)
    get_logger("store").warning("version.held")

    captured = capsys.readouterr()
    assert captured.out == ""
    first, second = captured.err.splitlines()
    assert first.endswith('INFO    collect dataset.collected dataset=fx rows=31 note="two words" part=null')
    assert second.endswith("WARNING store version.held")
    text = (tmp_path / "logs" / "collect.log").read_text()
    assert text == (
        '2026-01-01T00:00:00.000Z INFO    collect dataset.collected dataset=fx rows=31 note="two words" part=null\n'
    )
    assert lines(tmp_path / "logs" / "collect.jsonl") == [
        {
            "time": "2026-01-01T00:00:00.000Z",
            "level": "INFO",
            "component": "collect",
            "event": "dataset.collected",
            "dataset": "fx",
            "rows": 31,
            "note": "two words",
            "part": None,
        }
    ]
    assert [line["event"] for line in lines(tmp_path / "logs" / "store.jsonl")] == ["version.held"]


def test_log_files_are_private(tmp_path: Path) -> None:
    """The folder has mode 0700, files 0600."""
    configure("INFO", "off", tmp_path / "logs")
    before = os.umask(0)
    try:
        get_logger("a").info("x")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "logs").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "logs").iterdir()} == {0o600}


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("DEBUG", "debug info warning error"),
        ("info", "info warning error"),
        ("WARNING", "warning error"),
        ("ERROR", "error"),
        ("CRITICAL", ""),
    ],
)
def test_the_level_decides(capsys: pytest.CaptureFixture[str], level: str, shown: str) -> None:
    """Below the level nothing is written."""
    configure(level)
    log = get_logger("x")
    for name in ("debug", "info", "warning", "error"):
        getattr(log, name)(f"event.{name}")

    assert [line.rpartition(".")[2] for line in capsys.readouterr().err.splitlines()] == shown.split()


@pytest.mark.parametrize(
    ("console", "terminal", "no_color", "coloured"),
    [
        ("auto", True, "", True),
        ("auto", False, "", False),
        ("auto", True, "1", False),
        ("on", False, "", True),
        ("on", True, "1", False),
    ],
)
def test_colour_is_for_terminals(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    console: Any,
    terminal: bool,
    no_color: str,
    coloured: bool,
) -> None:
    """Plain when stderr is no terminal or NO_COLOR is set; `on` colours anyway."""
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    configure("INFO", console)

    get_logger("x").info("event", a=1)

    assert ("\x1b[" in capsys.readouterr().err) is coloured


def test_console_off_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing on stderr, errors included."""
    configure("DEBUG", "off")

    get_logger("x").error("event")

    assert capsys.readouterr().err == ""


def test_a_closed_stderr_does_not_stop_the_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A broken pipe or no console at all: the files are still written."""
    configure("INFO", "on", tmp_path)
    file = (tmp_path / "closed").open("w")
    file.close()

    monkeypatch.setattr(sys, "stderr", file)
    get_logger("x").info("one")
    monkeypatch.setattr(sys, "stderr", None)
    get_logger("x").info("two")

    assert [line["event"] for line in lines(tmp_path / "x.jsonl")] == ["one", "two"]


def test_secrets_reach_no_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, listeners: str
) -> None:
    """By key, by value, in URLs, in the event, in tracebacks: console, files and foreign handlers see the mask."""
    configure("DEBUG", "on", tmp_path, redact=["iban"], secrets=lambda: ["swordfish"])
    log = get_logger("x")
    try:
        raise ValueError("login with swordfish failed at https://me:pw12@db/x")
    except ValueError as error:
        log.error(
            "failed for swordfish", exc=error, error=error, url="https://me:pw12@db/x", password="pw12", iban="DE77"
        )

    everything = capsys.readouterr().err + caplog.text + "".join(path.read_text() for path in tmp_path.iterdir())

    assert "ValueError" in everything
    assert not [secret for secret in ("swordfish", "pw12", "DE77") if secret in everything]


def test_a_traceback_is_in_the_files_and_on_the_console_only_at_debug(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`exc` keeps the cause; the console stays at one line above DEBUG."""
    error = ValueError("cause")
    configure("INFO", directory=tmp_path)
    get_logger("x").error("failed", exc=error)
    assert len(capsys.readouterr().err.splitlines()) == 1
    configure("DEBUG", directory=tmp_path)
    get_logger("x").error("failed", exc=error)

    assert "ValueError: cause" in capsys.readouterr().err
    assert "ValueError: cause" in lines(tmp_path / "x.jsonl")[0]["traceback"]
    assert (tmp_path / "x.log").read_text().count("ValueError: cause") == 2


def test_a_providers_text_cannot_fake_lines_or_draw(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Newlines, escape sequences and lone surrogates in values and events stay inside their line."""
    configure("INFO", directory=tmp_path)

    get_logger("x").info("got\nfake", body="a\nERROR x faked\x1b[2J\u2028end", half="\ud800")

    assert len(capsys.readouterr().err.splitlines()) == 1
    text = (tmp_path / "x.log").read_text()
    assert text.count("\n") == 1
    assert "\x1b" not in text
    get_logger("x").error("failed", exc=ValueError("a\n2026-01-01 ERROR faked\x1b[2J"))
    assert "\x1b" not in (tmp_path / "x.log").read_text()
    assert "\n    2026-01-01 ERROR faked" in (tmp_path / "x.log").read_text()
    assert lines(tmp_path / "x.jsonl")[0]["event"] == "got\nfake"
    assert lines(tmp_path / "x.jsonl")[0]["body"] == "a\nERROR x faked\x1b[2J\u2028end"


def test_fields_named_like_the_frame_do_not_replace_it(tmp_path: Path, listeners: str) -> None:
    """`level=`, `event=` and `time=` as fields keep the record readable."""
    configure("INFO", "off", tmp_path)

    get_logger("x").info("real", level="fake", time=1, component="other")

    (line,) = lines(tmp_path / "x.jsonl")
    assert (line["level"], line["component"], line["event"]) == ("INFO", "x", "real")
    assert (line["level_"], line["time_"], line["component_"]) == ("fake", 1, "other")


@pytest.mark.parametrize(
    ("component", "name"), [("../../etc/x", "etc-x"), ("", "app"), ("Collect.HTTP", "collect.http")]
)
def test_a_component_is_a_safe_file_name(tmp_path: Path, component: str, name: str) -> None:
    """No component leads out of the folder."""
    configure("INFO", "off", tmp_path / "logs")

    get_logger(component).info("event")

    assert (tmp_path / "logs" / f"{name}.jsonl").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_files_rotate_by_size_and_are_gzipped(tmp_path: Path) -> None:
    """No line is lost or cut, live files stay below the size, only the newest rotated ones are kept."""
    configure("INFO", "off", tmp_path, size=2_000, files=100)
    log = get_logger("x")
    for i in range(200):
        log.info("event", i=i)
    close()

    rotated = sorted(tmp_path.glob("x-*.jsonl.gz"))
    numbers = [json.loads(line)["i"] for path in rotated for line in gzip.decompress(path.read_bytes()).splitlines()]
    numbers += [line["i"] for line in lines(tmp_path / "x.jsonl")]
    assert numbers == list(range(200))
    assert len(rotated) > 5
    assert (tmp_path / "x.jsonl").stat().st_size <= 2_000
    assert not list(tmp_path.glob("*Z.jsonl")) + list(tmp_path.glob("*.tmp"))

    configure("INFO", "off", tmp_path, size=2_000, files=2)
    for i in range(200):
        log.info("event", i=i)
    close()
    assert len(list(tmp_path.glob("x-*.jsonl.gz"))) == len(list(tmp_path.glob("x-*.log.gz"))) == 2


def test_a_rotation_does_not_touch_components_with_similar_names(tmp_path: Path) -> None:
    """`x-y` is not an old file of `x`."""
    configure("INFO", "off", tmp_path, size=500, files=1)
    get_logger("x-20260101").info("event")
    get_logger("x-20t1z").info("event")
    for i in range(50):
        get_logger("x").info("event", i=i)

    assert (tmp_path / "x-20260101.log").exists()
    assert (tmp_path / "x-20t1z.log").exists()


def test_a_line_longer_than_the_size_is_written_whole(tmp_path: Path) -> None:
    """It gets a file of its own."""
    configure("INFO", "off", tmp_path, size=100)

    get_logger("x").info("event", body="y" * 1000)

    assert len(lines(tmp_path / "x.jsonl")[0]["body"]) == 1000


def _write(directory: str, number: int, count: int) -> None:
    configure("INFO", "off", Path(directory), size=3_000, files=1000)
    log = get_logger("shared")
    for i in range(count):
        log.info("event", by=number, i=i)


def test_processes_that_rotate_together_lose_nothing(tmp_path: Path) -> None:
    """Three processes, one small file: every line of each is there once and whole, in its order."""
    processes = [PROCESSES.Process(target=_write, args=(str(tmp_path), n, 120)) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)

    found: list[list[int]] = [[], [], []]
    texts = [gzip.decompress(path.read_bytes()).decode() for path in sorted(tmp_path.glob("shared-*.jsonl.gz"))]
    texts += [path.read_text() for path in sorted(tmp_path.glob("shared-*Z.jsonl"))]  # not compressed yet
    texts.append((tmp_path / "shared.jsonl").read_text())
    for text in texts:
        for line in text.splitlines():
            record = json.loads(line)
            found[record["by"]].append(record["i"])

    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert [sorted(numbers) for numbers in found] == [list(range(120))] * 3
    assert len(texts) > 5


def test_the_folder_may_be_deleted_in_use(tmp_path: Path) -> None:
    """The next line makes it anew."""
    import shutil

    configure("INFO", "off", tmp_path / "logs")
    get_logger("x").info("one")
    shutil.rmtree(tmp_path / "logs")

    get_logger("x").info("two")

    assert [line["event"] for line in lines(tmp_path / "logs" / "x.jsonl")] == ["two"]


def test_a_full_disk_is_told_once_and_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a real limit on file sizes logging goes on without its files."""
    configure("INFO", "off", tmp_path)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
    try:
        for i in range(20):
            get_logger("x").info("event", i=i)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert str(tmp_path) in told[0]


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"level": "LOUD"}, "logging.level"),
        ({"console": "maybe"}, "logging.console"),
        ({"size": 0}, "size"),
        ({"files": 0}, "files"),
        ({"age": 0.0}, "age"),
        ({"forms": "xml"}, "logging.files"),
    ],
)
def test_a_wrong_setting_is_refused(settings: dict[str, Any], word: str) -> None:
    """The message names the setting."""
    with pytest.raises(ValueError, match=word):
        configure(**settings)


def test_timed_logs_how_long_a_block_took(tmp_path: Path) -> None:
    """As a `with` block, with its fields, by the injected clock."""
    clock = ManualClock()
    configure("INFO", "off", tmp_path, clock=clock)

    with get_logger("x").timed("parse", dataset="fx"):
        clock.advance(1.5)

    (line,) = lines(tmp_path / "x.jsonl")
    assert (line["event"], line["dataset"], line["duration_s"]) == ("parse", "fx", 1.5)


def test_timed_decorates_functions_and_coroutines(tmp_path: Path) -> None:
    """Each call by itself, nested calls too; name and result stay."""
    clock = ManualClock()
    configure("INFO", "off", tmp_path, clock=clock)

    @timed("count.down")
    def down(n: int) -> int:
        """Doc."""
        clock.advance(1)
        return down(n - 1) if n else 42

    @get_logger("x").timed("later", level="debug")
    async def later() -> str:
        clock.advance(3)
        return "done"

    assert down(2) == 42
    assert down.__name__ == "down"
    configure("DEBUG", "off", tmp_path, clock=clock)
    assert asyncio.run(later()) == "done"

    assert [line["duration_s"] for line in lines(tmp_path / "app.jsonl")] == [1.0, 2.0, 3.0]
    (line,) = lines(tmp_path / "x.jsonl")
    assert (line["level"], line["duration_s"]) == ("DEBUG", 3.0)


def test_timed_logs_a_failure_as_an_error_and_passes_it_on(tmp_path: Path) -> None:
    """The exception is in the record and in the caller's hands."""
    configure("INFO", "off", tmp_path)

    with pytest.raises(KeyError), get_logger("x").timed("work"):
        raise KeyError("gone")

    (line,) = lines(tmp_path / "x.jsonl")
    assert (line["level"], line["error"]) == ("ERROR", "KeyError: 'gone'")
    assert "duration_s" in line


def test_a_record_of_the_standard_library_in_our_namespace_is_written_too(tmp_path: Path) -> None:
    """A plug-in that uses `logging.getLogger` below our name gets lines as well, redacted."""
    configure("INFO", "off", tmp_path, secrets=lambda: ["swordfish"])

    logging.getLogger("orchestrator.plugin").warning("hello %s", "swordfish")

    (line,) = lines(tmp_path / "app.jsonl")
    assert line["event"] == "hello ***"


def test_one_form_alone_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    """JSON without text, or text without JSON: half of the disk, half of the time."""
    configure("INFO", "off", tmp_path, forms="json")
    get_logger("x").info("one")
    configure("INFO", "off", tmp_path, forms="text")
    get_logger("x").info("two")

    assert [line["event"] for line in lines(tmp_path / "x.jsonl")] == ["one"]
    assert "two" in (tmp_path / "x.log").read_text()
    assert "one" not in (tmp_path / "x.log").read_text()


def test_numbers_beyond_64_bits_and_odd_signs_are_written_in_json(tmp_path: Path, listeners: str) -> None:
    """What the quick writer refuses, or writes as readers would split it, is still a line of JSON."""
    configure("INFO", "off", tmp_path)

    get_logger("x").info("event", big=2**70, half="\ud800", wide="a\u2028b", delete="\x7f", name="Zürich")

    (line,) = lines(tmp_path / "x.jsonl")
    assert (line["big"], line["wide"], line["delete"], line["name"]) == (2**70, "a\u2028b", "\x7f", "Zürich")
    assert b"\x7f" not in (tmp_path / "x.jsonl").read_bytes()


def test_records_name_the_incidents_of_what_they_concern(tmp_path: Path, listeners: str) -> None:
    """Of their dataset, provider, service or component; a field of that name stays; without incidents there is none."""
    configure("INFO", "off", tmp_path)
    log = get_logger("collect")
    log.info("before", dataset="fx")
    set_incidents(
        {"dataset:fx": ["i2"], "provider:ecb": ["i1", "i2"], "component:store": ["i3"], "service:shop": ["i4"]}
    )

    log.info("both", dataset="fx", provider="ecb")
    log.info("other", dataset="other")
    log.info("own", dataset="fx", incidents=["mine"])
    log.info("service", service="shop")
    get_logger("store").info("component")
    set_incidents({})
    log.info("after", dataset="fx")

    told = {line["event"]: line.get("incidents") for line in lines(tmp_path / "collect.jsonl")}
    assert told == {
        "before": None,
        "both": ["i1", "i2"],
        "other": None,
        "own": ["mine"],
        "service": ["i4"],
        "after": None,
    }
    assert lines(tmp_path / "store.jsonl")[0]["incidents"] == ["i3"]
    assert 'incidents=["i1", "i2"]' in (tmp_path / "collect.log").read_text()


def test_a_record_of_the_standard_library_keeps_its_traceback(tmp_path: Path) -> None:
    """Redacted, as ours."""
    configure("INFO", "off", tmp_path, secrets=lambda: ["swordfish"])
    try:
        raise ValueError("swordfish")
    except ValueError:
        logging.getLogger("orchestrator.plugin").exception("failed")

    (line,) = lines(tmp_path / "app.jsonl")
    assert (line["level"], line["event"]) == ("ERROR", "failed")
    assert "ValueError: ***" in line["traceback"]


def test_a_handler_of_the_program_sees_our_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One at our parent, at a component, or a filter: each is asked, and our own files get the line once."""
    monkeypatch.setattr(logging.root, "handlers", [])
    configure("INFO", "off", tmp_path)
    seen: list[str] = []

    class Theirs(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    theirs = Theirs()
    for name in ("orchestrator", "orchestrator.collect", "orchestrator.collect.http"):
        logging.getLogger(name).addHandler(theirs)
        get_logger("collect.http").info("event", place=name)
        logging.getLogger(name).removeHandler(theirs)
    refuse = logging.getLogger("orchestrator.collect.http")
    refuse.addFilter(nothing := (lambda record: False))
    get_logger("collect.http").info("refused")
    refuse.removeFilter(nothing)

    assert seen == [
        f"event place={name}" for name in ("orchestrator", "orchestrator.collect", "orchestrator.collect.http")
    ]
    assert [line["event"] for line in lines(tmp_path / "collect.http.jsonl")] == ["event"] * 3
