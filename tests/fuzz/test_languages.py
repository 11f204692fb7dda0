"""Every small language that somebody writes to us in: any text gives a result, or an error of ours in words.

Payloads of providers are tests/fuzz/test_parsers.py's; here is what stands in configurations, commands, addresses and
headers. What hangs or fills the memory is ended by the time limit of the tests.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.live import Client
from api.live_socket import _answered, _beat, _lost, _texts
from api.paging import opened
from api.routes.frame import _moment
from api.security import _is_local, _taken_from_query
from config.cache_url import cache_url
from config.cron_line import cron_line
from config.database_url import database_url
from config.datasets import PartitionSettings
from config.durations import parse_duration, parse_size
from config.errors import ConfigError
from config.files import lines_of, parse_text
from config.variables import Secrets, fill
from data_pipeline import partitions
from data_pipeline.collect import placeholders
from data_pipeline.collect.addresses import led_to, provider_name, same_origin, shown
from data_pipeline.collect.cassette import Cassette, CassetteError
from data_pipeline.collect.files.wildcards import Pattern
from data_pipeline.collect.http.paging import next_in_json, next_in_links, steps
from data_pipeline.collect.sql import query
from data_pipeline.parse.data_time import parse_data_time
from data_pipeline.parse.options import ColumnOptions
from data_pipeline.parse.records import check_records
from data_pipeline.scheduling.cron import CronTimes
from data_pipeline.validate.pattern import check_pattern
from monitoring.alerting.condition import compiled
from operations.actor import UsageError
from operations.live import Topics
from operations.moments import coming, moment_of, past_moment, seconds_of
from tests.counts import few
from utils.calendars import Calendar
from utils.event_patterns import check as check_event_pattern
from utils.event_patterns import matches
from utils.expression.grammar import parse_expression
from utils.holiday_files import HolidayFileError, read_holidays
from utils.http_date import http_date
from utils.one_line import one_line
from utils.resilience.retry_after import retry_after

NOW = datetime(2026, 3, 1, 7, 5, tzinfo=UTC)

EXAMPLES = 400 if few(100) == 100 else 20
"""Texts of each language: there are many, and daily they are only to keep what was found from coming back."""

NASTY = (
    *("", " ", "\x00", "\n", "\r\n", "\x1b[2J", "\u202e", "\ufeff", "\ud800", "٣", "İ", "😀", "a" * 5000, "9" * 5000),
    *("-1", "1e999", "NaN", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0000-00-00", "24:00", "%", "%Y"),
    *("..", "../../etc/passwd", "://", "@", "[::1", "]", "'", '"', "`", "\\", "${", "}", "{{", "*", "**", "(?", "+"),
)
"""What has broken somebody's reader before."""


@dataclass(frozen=True)
class Language:
    """How texts of it are read, of which pieces they are made, and how it refuses."""

    read: Callable[[str], Any]
    pieces: tuple[str, ...]
    refusal: type[Exception] = ValueError


def _as_file(suffix: str) -> Callable[[str], Any]:
    path = Path(f"c.{suffix}")
    return lambda text: (parse_text(text, path), lines_of(text, path))


def _cron(text: str) -> None:
    line = cron_line(text)
    CronTimes(line, ZoneInfo("Europe/Berlin"), Calendar()).next(NOW)


def _address(text: str) -> None:
    shown(text)
    url = led_to("https://a.test/x?y", text)
    provider_name(url)
    same_origin("https://a.test/x", url)


def _span(by: str) -> Callable[[str], Any]:
    told = PartitionSettings.model_validate({"by": by, "start": "2026-01-01", "zone": "Asia/Tokyo"})

    def read(text: str) -> None:
        for begin, end in ((text, None), (None, text)):
            partitions.span(told, begin, end, now=NOW, most=10_000)

    return read


def _piece(text: str) -> None:
    told = PartitionSettings.model_validate({"by": "hour", "start": "2026-01-01", "zone": "Asia/Tokyo"})
    partitions.asked_for(told, (text,), now=NOW)


def _filled(text: str) -> None:
    fill(text, ("x",), environ={"A": "s3cret"}, folder=Path("/nowhere"), secrets=Secrets())


def _host(text: str) -> None:
    scope = {"client": ("127.0.0.1", 1)}
    _is_local(scope, {b"host": text.encode("latin-1", "replace")})
    _taken_from_query({"query_string": text.encode("utf-8", "surrogatepass")})


def _cursor(text: str) -> None:
    from starlette.requests import Request

    opened(Request({"type": "http", "path": "/x", "query_string": b"", "headers": [], "server": ("h", 80)}), text)


def _message(text: str) -> None:
    live: Any = SimpleNamespace(position=5)
    client = Client(Topics(["alerts"]), None, texts=_texts, beat=_beat, lost=_lost)
    assert orjson.loads(_answered(text, client, live))["type"] in {"error", "pong", "subscribed"}


def _from_file(read: Callable[[Path], Any]) -> Callable[[str], None]:
    def from_file(text: str) -> None:
        with NamedTemporaryFile() as file:
            file.write(text.encode("utf-8", "surrogatepass"))
            file.flush()
            read(Path(file.name))

    return from_file


def _headers(text: str) -> None:
    next_in_links(text)
    http_date(text)
    retry_after(text, now=NOW, date=text)
    assert len(one_line(text)) <= 200


_WORDS = ("a", "b", " ", "1", ".", ",", "(", ")", "=", "<", "-", ":", "|", "'x'", "/", "[", "]", "&", "@", "#")
_CLOCK = ("2026", "-03", "-01", "T", "12:00", ":00", "Z", "+01:00", "+14:00", "0001-01-01", "9999-12-31", "2h", "W")
_YAML = ("a: ", "- ", "\n", "  ", "{", "}", "[", "]", "&a ", "*a", "<<: ", "!!set ", '"', "|\n", "#", "? ", "'")

LANGUAGES = {
    "expression": Language(parse_expression, (*_WORDS, "not ", " and ", "len(", "`", "2026-01-31", "*", "is_null(")),
    "condition": Language(compiled, (*_WORDS, "not ", " and ", "len(", "severity", "data.x")),
    "cron line": Language(_cron, ("*", "/", "-", ",", " ", "0", "5", "59", "L", "W", "#", "mon", "jan", "@daily", "7")),
    "duration": Language(parse_duration, ("1", "9", ".", "ms", "s", "m", "h", "d", " ", "e")),
    "size": Language(parse_size, ("1", "9", ".", "K", "M", "i", "B", " ")),
    "moment": Language(lambda text: moment_of("since", text), _CLOCK, UsageError),
    "past moment": Language(lambda text: past_moment(text, NOW), _CLOCK, UsageError),
    "coming moment": Language(lambda text: coming("until", text, NOW, "Europe/Berlin"), _CLOCK, UsageError),
    "span of time": Language(lambda text: seconds_of("for", text), _CLOCK, UsageError),
    "moment of the API": Language(_moment, _CLOCK),
    "days of a table": Language(_span("day"), _CLOCK),
    "hours of a table": Language(_span("hour"), _CLOCK),
    "months of a table": Language(_span("month"), _CLOCK),
    "piece of a table": Language(_piece, ("2026-03-01", "T", "07", "+", "2026", "-", "b", "0001-01-01T00")),
    "event pattern": Language(lambda text: (check_event_pattern(text), matches(text, text)), ("a", ".", "*", "**")),
    "query": Language(
        lambda text: query.check(text, {}),
        ("SELECT ", "{now}", "{cursor:", "}", ":a", "::", "'", '"', "--", "\n", "/*", "*/", "$x$", "$$", "{", "\\:"),
    ),
    "placeholder": Language(placeholders.check, ("{", "}", "{{", "now", "cursor", ":", "%Y", "%", "epoch_s", "a")),
    "address": Language(
        _address, ("http://", "//", "a.test", ":", "80", "@", "[", "::1", "]", "/", "?", "#", "..", ";")
    ),
    "address of a database": Language(
        database_url, ("postgresql://", "a", ":", "@", "/", "?", "sslmode=", "[", "]", ",", "5432", "%2F")
    ),
    "address of a cache": Language(cache_url, ("redis://", "unix:///", "a", ":", "@", "/", "?", "db=", "[", "]", "6")),
    "path to rows": Language(
        lambda text: check_records(text, "auto"),
        (
            "a",
            ".",
            "[",
            "]",
            "*",
            "?",
            "`",
            "'",
            '"',
            "{",
            "}",
            "@",
            "&",
            "|",
            "(",
            ")",
            "/",
            "//",
            "::",
            "keyed(",
            "\\",
        ),
    ),
    "XPath": Language(
        lambda text: check_records(text, "xml"),
        ("/", "//", "a", ":", "@", "*", "[", "]", "(", ")", "..", "text()", "1"),
    ),
    "data time": Language(parse_data_time, ("$", ".", "a", "filename ", "'", "%Y", "%m", "last_modified", "[", "]")),
    "time format": Language(
        lambda text: ColumnOptions(type="timestamp", format=text),
        ("%Y", "%m", "%d", "%H", "%z", "%", "-", "epoch_s", "%j"),
    ),
    "regular expression": Language(
        check_pattern,
        ("a", "(", ")", "(?:", "(?=", "[", "]", "^", "-", "*", "+", "?", "{2}", "{2,1}", "\\", "\\d", "|"),
    ),
    "path to a value": Language(steps, ("a", ".", "[", "0", "]", '"', "\\", "-")),
    "shell pattern": Language(lambda text: Pattern(text).matches("a/b.csv"), ("*", "**", "/", "[", "]", "!", "?", "a")),
    "variable": Language(_filled, ("${", "}", "A", ":-", "file:", "$", "://", "u:p@h", "/x")),
    "header": Language(
        _headers, ("<", ">", ";", "rel=", '"', "next", ",", " ", "Sun, 06 Nov 1994", "08:49:37 GMT", "1")
    ),
    "host and query": Language(
        _host, ("[", "]", ":", "localhost", "127.0.0.1", "auth_token=", "&", "%61", "=", "cdo_")
    ),
    "cursor": Language(_cursor, ("W1", "x", "=", "-", "_", "W10="), UsageError),
    "next page": Language(
        lambda text: next_in_json(io.BytesIO(text.encode("utf-8", "surrogatepass")), "a.b[0]"),
        ("{", "}", '"a"', '"b"', ":", "[", "]", ",", '"x"', "null", "1"),
    ),
    "message of a listener": Language(
        _message,
        (
            "{",
            "}",
            '"type": ',
            '"ping"',
            '"subscribe"',
            ", ",
            '"topics": ',
            '["alerts"]',
            '"since": ',
            "[]",
            "7",
            '"\\u',
        ),
    ),
    "cassette": Language(
        _from_file(Cassette.read),
        ('{"cassette": 1', '"exchanges": [', '{"request": ', '"response": ', ", ", "{", "}", "]", "1", '"a": '),
        CassetteError,
    ),
    "days off": Language(
        _from_file(lambda path: read_holidays(path)(2026)),
        (
            *(
                "BEGIN:VCALENDAR\nBEGIN:VEVENT\n",
                "END:VEVENT\nEND:VCALENDAR\n",
                "DTSTART;VALUE=DATE:20260101\n",
                "RRULE:",
            ),
            *(
                "FREQ=YEARLY",
                ";COUNT=3",
                ";INTERVAL=0",
                "\n",
                "DTEND:",
                "RDATE:20260505\n",
                "DURATION:-P9D\n",
                ":",
                ";",
            ),
        ),
        HolidayFileError,
    ),
    "YAML file": Language(_as_file("yaml"), _YAML, ConfigError),
    "TOML file": Language(
        _as_file("toml"), ("a", " = ", "1", "[", "]", "\n", ".", '"', "'''", "{", "}", "T"), ConfigError
    ),
    "JSON file": Language(_as_file("json"), ("{", "}", "[", "]", '"a"', ":", ",", "1", "null", "\\u"), ConfigError),
}


def texts(language: Language) -> st.SearchStrategy[str]:
    """Texts that look like the language, with what breaks readers in them; and a piece of it very many times."""
    piece = st.sampled_from(language.pieces)
    mixed = st.lists(piece | st.sampled_from(NASTY) | st.text(max_size=3), max_size=10).map("".join)
    deep = st.tuples(piece, st.sampled_from((50, 2_000)), piece).map(lambda made: made[0] * made[1] + made[2])
    return st.lists(piece, max_size=12).map("".join) | mixed | deep


@pytest.mark.filterwarnings("ignore:deprecated string literal")  # of JMESPath, which reads it
@pytest.mark.parametrize("name", LANGUAGES)
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_text_is_read_or_refused_in_words(name: str, data: st.DataObject) -> None:
    """No other exception gets out, whatever the text; and the refusal says something."""
    language = LANGUAGES[name]
    text = data.draw(texts(language))
    refused = None
    try:
        language.read(text)
    except language.refusal as error:
        refused = error

    assert refused is None or str(refused)


@pytest.mark.parametrize("name", [name for name in LANGUAGES if name != "cursor"])
def test_every_language_reads_something(name: str) -> None:
    """Else the texts would only ever meet the first check."""
    well = {
        "expression": "a < 1",
        "condition": "severity == 'error'",
        "cron line": "5 16 * * mon-fri",
        "duration": "5m",
        "size": "5MB",
        "moment": "2026-01-01",
        "past moment": "2026-01-01",
        "coming moment": "2h",
        "span of time": "2h",
        "moment of the API": "2026-01-01",
        "days of a table": "2026-02-20",
        "hours of a table": "2026-03-01T00",
        "months of a table": "2026-02",
        "piece of a table": "2026-03-01T00",
        "event pattern": "run.*",
        "query": "SELECT {now}",
        "placeholder": "{now:%Y}",
        "address": "/y",
        "address of a database": "postgresql://h/d",
        "address of a cache": "redis://h",
        "path to rows": "a[*].b",
        "XPath": "//a[1]",
        "data time": 'filename "x%Y.csv"',
        "time format": "%d.%m.%Y",
        "regular expression": "^a+$",
        "path to a value": "a[0].b",
        "shell pattern": "**/*.csv",
        "variable": "${A}",
        "header": '<x>; rel="next"',
        "host and query": "localhost",
        "message of a listener": '{"type": "ping"}',
        "cassette": '{"cassette": 1, "dataset": "d", "home": "h", "recorded_at": "", "exchanges": []}',
        "days off": "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260101\nEND:VEVENT\nEND:VCALENDAR\n",
        "next page": '{"a": {"b": ["x"]}}',
        "YAML file": "a: 1",
        "TOML file": "a = 1",
        "JSON file": '{"a": 1}',
    }[name]

    LANGUAGES[name].read(well)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("moment", "0001-01-01T00:00:00+14:00"),
        ("past moment", "0001-01-01T00:00:00+14:00"),
        ("coming moment", "9999-12-31T23:59:59-14:00"),
        ("coming moment", "0001-01-01T00:00"),
        ("moment of the API", "9999-12-31T23:59:59-14:00"),
        ("days of a table", "0001-01-01T00:00:00+14:00"),
        ("hours of a table", "9999-12-31T23"),
        ("piece of a table", "9999-12-31T23"),
        ("time format", "%Y %Y"),
        ("data time", 'filename "%d%d"'),
        ("expression", "a < " + "9" * 5000),
        ("path to rows", "[" * 2000),
    ],
)
def test_what_once_broke_a_reader_is_refused_in_words(name: str, text: str) -> None:
    """Each of these was an error of Python's own, so a traceback or an answer 500."""
    language = LANGUAGES[name]
    with pytest.raises(language.refusal) as caught:
        language.read(text)

    assert "Exceeds the limit" not in str(caught.value)
