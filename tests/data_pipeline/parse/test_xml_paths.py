"""Columns of XML that are taken from around the record."""

import pytest

from data_pipeline.errors import MemoryLimitExceeded, PayloadUnreadable
from data_pipeline.parse import xml as xml_parser
from data_pipeline.parse.xml_paths import all_kept, is_path
from tests.data_pipeline.parse.reading import read, rows

DAYS = b"""<r xmlns="urn:r" xmlns:x="urn:x" made="A7"><head>H</head><x:note>N &amp; M</x:note>
  <day time="1" x:kind="work"><label>one</label><rate c="USD">1.5</rate><rate c="EUR"/></day>
  <day time="2"><label>two</label><rate c="USD">2.5</rate></day>
</r>"""


def of(path, data=DAYS, **parse):
    found = rows(data, parse_options={"records": "/r/day/rate", **parse}, columns={"new": {"from": path}})
    return [row["new"] for row in found]


@pytest.mark.parametrize(
    ("path", "cells"),
    [
        ("../@time", [1, 1, 2]),
        ("../../@made", ["A7"] * 3),
        ("/r/@made", ["A7"] * 3),
        ("../label", ["one", "one", "two"]),
        ("//head", ["H"] * 3),
        ("/r/x:note", ["N & M"] * 3),
        ("../@x:kind", ["work", "work", None]),
        ("ancestor::x:day/@time", None),
        ("ancestor::*[@time]/@time", [1, 1, 2]),
        ("preceding-sibling::*", ["one", '["one","1.5"]', "two"]),
        ("./@c", ["USD", "EUR", "USD"]),
        ("@c", ["USD", "EUR", "USD"]),
        (".", [1.5, None, 2.5]),
    ],
)
def test_a_path_is_followed_from_each_record(path, cells):
    """Names without a prefix in plain paths are in any namespace; several finds are a list; nothing is null."""
    if cells is None:
        batch = read(DAYS, parse_options={"records": "/r/day/rate"}, columns={"new": {"from": path}})
        assert batch.provenance.notes == (f"column `new` is missing in what was sent (looked for `{path}`)",)
    else:
        assert of(path) == cells


def test_what_the_record_has_itself_stays_and_comes_behind():
    """Nothing is renamed: `@c` beside the column `c`."""
    found = rows(
        DAYS, parse_options={"records": "/r/day/rate"}, columns={"time": {"from": "../@time", "type": "integer"}}
    )
    assert found == [
        {"time": 1, "c": "USD", "value": 1.5},
        {"time": 1, "c": "EUR", "value": None},
        {"time": 2, "c": "USD", "value": 2.5},
    ]


@pytest.mark.parametrize("path", ["../@time", "/r/@made", "ancestor::*/@made", "@c"])
def test_a_document_that_is_read_in_parts_gives_the_same(monkeypatch, path):
    """Attributes of what stands around a record are there until it ends."""
    many = b"<r made='x'>" + b"".join(
        b"<day time='%d'><rate c='USD'>%d</rate><rate c='EUR'/></day>" % (n, n) for n in range(20_000)
    ) + b"</r>"  # fmt: skip
    whole = of(path, many)
    monkeypatch.setattr(xml_parser, "WHOLE", 1000)
    monkeypatch.setattr(xml_parser, "_tree", None)  # it must not be asked for
    assert of(path, many) == whole


def test_what_needs_the_whole_document_says_so_when_it_is_too_large(monkeypatch):
    """A sister of the record is forgotten when a document is read in parts."""
    monkeypatch.setattr(xml_parser, "WHOLE", 1000)
    many = b"<r>" + b"<day><label>x</label><rate/></day>" * 30_000 + b"</r>"
    assert of("../label", many)[-1] == "x"
    with pytest.raises(MemoryLimitExceeded) as told:
        rows(many, parse_options={"records": "/r/day/rate"}, columns={"n": {"from": "../label"}}, memory_limit=10**6)
    assert "`from`" in told.value.hint


@pytest.mark.parametrize("path", ["../@", "../nope:a/@b", "../@time[", "sideways::a", "../a[name(]"])
def test_a_path_that_cannot_be_followed_is_named(path):
    """Never a column of nulls."""
    with pytest.raises(PayloadUnreadable, match="cannot be followed") as told:
        of(path)
    assert f"`from: {path}`" in str(told.value)
    assert "namespaces" in told.value.hint


def test_names_that_are_no_path_are_names():
    """Dots inside of a name belong to nested elements."""
    assert not any(map(is_path, ["a", "a.b", "_x", "Ä-1", "a:b"]))
    assert all(map(is_path, ["../@a", "@a", "/a", "//a", ".", "self::a"]))
    assert all_kept(["@a", "../@a", "../../@x:a", "/r/@a", "ancestor::d/@a"])
    assert not any(all_kept([path]) for path in ["..", "../a", "/r/a/@b", "//a/@b", "preceding::a/@b", "../@a[../b]"])
