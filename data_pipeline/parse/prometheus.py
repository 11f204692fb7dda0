"""Prometheus exposition text 0.0.4, and OpenMetrics as far as it is the same: one row a sample.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

import orjson

from data_pipeline.batch import ROWS_PER_BATCH
from data_pipeline.parse.encoding import open_text
from data_pipeline.parse.parser import Parsed, ParseRequest
from data_pipeline.parse.sniff import HEAD, markup
from data_pipeline.parse.unreadable import first_bytes, not_as_promised, unreadable
from utils.arrow import pa

MAX_LINE = 2**20

_LABELS = r'(?:[^"}]|"(?:[^"\\]|\\.)*")*'
_SAMPLE = re.compile(
    rf"\s*(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)?\s*(?:\{{(?P<labels>{_LABELS})\}})?\s*(?<=[\s}}])"
    r"(?P<value>[^\s{}#]+)(?:[ \t]+(?P<time>[^\s#]+))?[ \t]*(?:#.*)?",
    re.DOTALL,
)
_LABEL = re.compile(
    r'\s*(?:(?P<key>[a-zA-Z_][a-zA-Z0-9_.:]*|"(?:[^"\\]|\\.)*")\s*=\s*)?"(?P<text>(?:[^"\\]|\\.)*)"\s*(?:,|$)',
    re.DOTALL,
)
_NUMBER = re.compile(
    r"[+-]?(?:[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|inf(?:inity)?|nan)", re.IGNORECASE
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SUFFIXES = ("_bucket", "_sum", "_count", "_total", "_created", "_gcount", "_gsum", "_info")
_MILLISECONDS = 1e11
"""Prometheus writes times in milliseconds, OpenMetrics in seconds; 1e11 s is the year 5138, 1e11 ms is 1973."""


class _Malformed(ValueError):
    """What is wrong with a line."""


@dataclass(slots=True)
class _Samples:
    """Columns of the batch that is being filled."""

    metric: list[str] = field(default_factory=list)
    type: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    value: list[str] = field(default_factory=list)
    time: list[int | None] = field(default_factory=list)

    def batch(self, *, as_sent: bool) -> "pa.RecordBatch":
        value = pa.array(self.value, pa.string()) if as_sent else pa.array(map(float, self.value), pa.float64())
        text = pa.string()
        columns = {
            "metric": pa.array(self.metric, text), "type": pa.array(self.type, text),
            "labels": pa.array(self.labels, text), "value": value,
        }  # fmt: skip
        if any(moment is not None for moment in self.time):
            columns["timestamp"] = pa.array(self.time, pa.int64()).cast(pa.timestamp("us", "UTC"))
        return pa.RecordBatch.from_pydict(columns)


def parse_prometheus(request: ParseRequest) -> Parsed:
    """Columns `metric`, `type` (`untyped` when nobody said), `labels` (JSON text, keys sorted), `value` (float64), and
    `timestamp` when samples carry one. A `value` declared as decimal, integer or string keeps the digits as sent.

    Families with HELP or TYPE and no sample give no row; help texts, exemplars and `# EOF` are passed over.
    """
    text = open_text(request, guess=False)
    stream = text.open()
    head = stream.read(HEAD) if text.data is None else text.data[:HEAD]
    if text.data is None:
        stream.close()
        stream = text.open()
    other = markup(head)
    if other is not None or not head.strip():
        stream.close()
        raise not_as_promised(request, "Prometheus text", other or "nothing", head)
    notes = list(text.notes)
    return Parsed(_batches(request, stream, notes), notes)


def _batches(request: ParseRequest, stream: IO[bytes], notes: list[str]) -> Iterator["pa.RecordBatch"]:
    types: dict[str, str] = {}
    samples, given, number = _Samples(), False, 0
    as_sent = _value_as_sent(request)
    last = b"\n"
    with stream:
        # Only "\n" ends a line: label values may hold U+001C and other signs that str.splitlines() takes for one.
        while line := stream.readline(MAX_LINE):
            number += 1
            try:
                _read_line(line.decode().strip(" \t\r\n"), types, samples)
            except _Malformed as error:
                raise unreadable(
                    request,
                    f"line {number:,} is no sample of Prometheus text: {error}: {first_bytes(line.rstrip(), 100)}",
                    hint="check `parse.format`, or whether the download was cut off",
                ) from error
            if len(samples.metric) == ROWS_PER_BATCH:
                yield samples.batch(as_sent=as_sent)
                samples, given = _Samples(), True
            last = line
    if not last.endswith(b"\n"):
        notes.append("the last line has no line end, as if the text was cut off there")
    if samples.metric or not given:
        yield samples.batch(as_sent=as_sent)


def _value_as_sent(request: ParseRequest) -> bool:
    return any(
        "value" in (options.source or name, *options.aliases) and options.type in {"decimal", "integer", "string"}
        for name, options in request.columns.items()
    )


def _read_line(line: str, types: dict[str, str], samples: _Samples) -> None:
    if not line:
        return
    if line[0] == "#":
        words = line.split(None, 3)
        if len(words) == 4 and words[:2] == ["#", "TYPE"]:
            types[words[2].strip('"')] = words[3].strip().lower()
        return
    match = _SAMPLE.fullmatch(line)
    if match is None:
        raise _Malformed('expected `name{label="text"} number`')
    name, sent, value, time = match.groups()
    labels, quoted = _labels(sent) if sent else ({}, "")
    name = name or quoted
    if not name:
        raise _Malformed("it names no metric")
    if not _NUMBER.fullmatch(value):
        raise _Malformed(f"`{value[:40]}` is no number")
    samples.metric.append(name)
    samples.type.append(_type_of(name, types))
    samples.labels.append(orjson.dumps(labels, option=orjson.OPT_SORT_KEYS).decode() if labels else "{}")
    samples.value.append(value)
    samples.time.append(_microseconds(time) if time else None)


def _labels(sent: str) -> tuple[dict[str, str], str]:
    """Labels, and the metric's name when it stands among them in quotes, as Prometheus 3 writes odd names."""
    labels: dict[str, str] = {}
    name, at = "", 0
    sent = sent.rstrip()
    while at < len(sent):
        match = _LABEL.match(sent, at)
        if match is None:
            raise _Malformed(f"the labels cannot be read at `{sent[at : at + 30]}`")
        key, text = match.group("key"), _unescaped(match.group("text"))
        if key is None:
            name = text
        elif key in labels:
            raise _Malformed(f"the label `{key}` comes twice")
        else:
            labels[_unescaped(key[1:-1]) if key[0] == '"' else key] = text
        at = match.end()
    return labels, name


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPED.sub(lambda match: "\n" if match[1] == "n" else match[1] if match[1] in '\\"' else match[0], text)


def _type_of(name: str, types: dict[str, str]) -> str:
    found = types.get(name)
    if found is None:
        # `x_bucket`, `x_sum` and `x_count` are samples of the family `x`.
        for suffix in _SUFFIXES:
            if name.endswith(suffix):
                found = types.get(name.removesuffix(suffix))
                break
    return "untyped" if found in {None, "unknown"} else str(found)


def _microseconds(time: str) -> int:
    if not _NUMBER.fullmatch(time):
        raise _Malformed(f"`{time[:40]}` is no time")
    seconds = float(time)
    if "." not in time and abs(seconds) >= _MILLISECONDS:
        seconds /= 1000
    if not abs(seconds) < 253_402_300_800:
        raise _Malformed(f"`{time[:40]}` is no time before the year 10000")
    return round(seconds * 1_000_000)
