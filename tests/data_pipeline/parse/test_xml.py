"""XML documents become rows of text, safely and in bounded memory."""

import gzip
import io
import subprocess
import sys
from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from data_pipeline.dataset import Collected, Payload
from data_pipeline.errors import MemoryLimitExceeded, PayloadUnreadable
from data_pipeline.parse import xml as xml_parser
from data_pipeline.parse.options import ParseOptions
from data_pipeline.parse.parse import parse
from data_pipeline.parse.parser import ParseRequest
from data_pipeline.parse.xml_stream import CHUNK, Stream
from data_pipeline.parse.xpath import plain_path
from tests.data_pipeline.parse.reading import PROVENANCE, payload, read, rows, types

SOAP = b"""<?xml version="1.0"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">
  <soap:Header/>
  <soap:Body>
    <GetRatesResponse xmlns="urn:rates">
      <rate code="USD"><value>1.5</value><day>2024-01-02</day></rate>
      <rate code="EUR"><value/><day>2024-01-03</day></rate>
    </GetRatesResponse>
  </soap:Body>
</soap:Envelope>"""
RATES = [
    {"code": "USD", "value": 1.5, "day": date(2024, 1, 2)},
    {"code": "EUR", "value": None, "day": date(2024, 1, 3)},
]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"records": "//rate"},
        {"records": "/Envelope/Body/GetRatesResponse/rate"},
        {"records": "/soap:Envelope/soap:Body/r:GetRatesResponse/r:rate", "namespaces": {"r": "urn:rates"}},
        {"records": "//r:rate[@code]", "namespaces": {"r": "urn:rates"}},
        {"records": "soap:Body//*[local-name()='rate']"},
    ],
    ids=["found by itself", "any depth", "by local names", "plain path", "XPath", "prefix of the document"],
)
def test_rows_of_a_soap_answer_are_found(options):
    """A default namespace is addressed by a prefix of one's own, or by the bare name in a plain path."""
    assert rows(SOAP, parse_options={"format": "xml", **options}) == RATES


def test_the_path_that_was_found_is_said():
    """So that it can be written into the configuration."""
    assert read(SOAP).provenance.notes == (
        "no `parse.records`; the rows are the elements at `/Envelope/Body/GetRatesResponse/rate`",
    )


def test_a_soap_fault_is_no_data():
    """Even with status 200; the message is the service's."""
    fault = SOAP[: SOAP.index(b"<GetRates")] + (
        b"<soap:Fault><faultcode>soap:Server</faultcode><faultstring>Quota used up</faultstring></soap:Fault>"
        b"</soap:Body></soap:Envelope>"
    )

    with pytest.raises(PayloadUnreadable, match="SOAP fault: soap:Server · Quota used up"):
        read(fault)
    with pytest.raises(PayloadUnreadable, match="SOAP fault"):
        read(fault, parse_options={"records": "//rate"})


def test_nested_elements_attributes_and_repeated_children_become_columns():
    """`a.b` as in JSON; what repeats in one row is a list in all of them; an attribute beside a child of its name."""
    document = b"""<orders>
      <order id="7"><id>x</id><buyer vip="yes"><name>Ann</name></buyer><total cur="EUR">5</total>
        <line sku="1"><n>2</n></line><line sku="2"><n>1</n></line><tag>a</tag></order>
      <order><total>6</total><line sku="3"><n>4</n></line><tag/></order>
    </orders>"""

    assert rows(document, parse_options={"records": "order"}) == [
        {
            "id": 7, "id_2": "x", "buyer.vip": "yes", "buyer.name": "Ann", "total.cur": "EUR", "total": 5,
            "line": '[{"sku":"1","n":"2"},{"sku":"2","n":"1"}]', "tag": "a",
        },
        {
            "id": None, "id_2": None, "buyer.vip": None, "buyer.name": None, "total.cur": None, "total": 6,
            "line": '[{"sku":"3","n":"4"}]', "tag": None,
        },
    ]  # fmt: skip


def test_attributes_can_be_left_out():
    """`attributes: false`."""
    data = b'<a><b x="1"><c y="2">t</c></b><b x="2"><c>u</c></b></a>'

    assert rows(data, parse_options={"attributes": False}) == [{"c": "t"}, {"c": "u"}]


@pytest.mark.parametrize(
    ("xml", "cell"),
    [
        (b"<c>plain</c>", "plain"),
        (b"<c>\n  padded \n</c>", "padded"),
        (b"<c><![CDATA[a < b & c]]></c>", "a < b & c"),
        (b"<c>one<!-- not this --> two<?nor this?></c>", "one two"),
        (b"<c>a <b>bold</b> word</c>", "a bold word"),
        (b"<c> </c>", None),
        (b"<c/>", None),
        (b'<c xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>', None),
        (b"<c>n/a</c>", None),
    ],
    ids=["plain", "padded", "cdata", "comment", "mixed", "blank", "empty", "nil", "na_values"],
)
def test_the_text_of_an_element_is_its_cell(xml, cell):
    """Blank is null; mixed content is one text."""
    data = b"<a><r><k>1</k>" + xml + b"</r><r><k>2</k><c>x</c></r></a>"

    assert rows(data, parse_options={"na_values": ["n/a"]})[0] == {"k": 1, "c": cell}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("//r/@id", [{"id": 1}, {"id": 2}]),
        ("//r/text()", [{"value": "a"}, {"value": "b"}]),
        ("//r", [{"id": 1, "value": "a"}, {"id": 2, "value": "b"}]),
        ("count(//r)", [{"value": 2}]),
        ("//r[@id='2']", [{"id": 2, "value": "b"}]),
        ("//gone", []),
        ("/a/r/x", []),
    ],
)
def test_an_xpath_may_find_anything(path, expected):
    """Attributes and texts are rows of one column; nothing may be honest."""
    assert rows(b'<a><r id="1">a</r><r id="2">b</r></a>', parse_options={"records": path, "format": "xml"}) == expected


@pytest.mark.parametrize("encoding", ["iso-8859-9", "utf-16", "windows-1251", "utf-8"])
def test_the_document_says_its_encoding(encoding):
    """And a byte order mark as well."""
    word = "Жёлтый" if encoding == "windows-1251" else "Ölçü"
    data = f'<?xml version="1.0" encoding="{encoding}"?><a><r><x>{word}</x></r><r/></a>'.encode(encoding)

    assert rows(data, parse_options={"format": "xml"})[0] == {"x": word}


def test_the_charset_counts_where_the_document_says_nothing():
    """The option wins over both."""
    data = "<a><r><x>Ölçü ş</x></r><r/></a>".encode("iso-8859-9")

    assert rows(data, charset="iso-8859-9")[0] == {"x": "Ölçü ş"}
    assert rows(data, parse_options={"encoding": "iso-8859-9"})[0] == {"x": "Ölçü ş"}


BOMB = (
    b"""<!DOCTYPE l [<!ENTITY a "ha">"""
    + b"".join(
        b'<!ENTITY %c "&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;">' % (after, *[before] * 10)
        for before, after in zip(b"abcdefghi", b"bcdefghij", strict=True)
    )
    + b"]><l><r>&j;</r><r>1</r></l>"
)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (BOMB, "entit"),
        (BOMB.replace(b"<r>&j;</r>", b'<r x="&j;"/>'), "entit"),
        (b'<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><l><r>&x;</r></l>', "declares entities"),
        (b'<!DOCTYPE l [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]><l><r>1</r></l>', "declares entities"),
        (b'<!DOCTYPE l SYSTEM "file:///etc/passwd"><l><r>&x;</r></l>', "entity &x;, which is declared elsewhere"),
        (b"<l>" + b"<d>" * 300 + b"</d>" * 300 + b"</l>", "depth"),
        (b"<l><r>1</r><r>2", "not well-formed XML"),
        (b"<l><r>1</l>", "line 1"),
        (b"<l>\x01</l>", "not well-formed"),
        (b"<?xml version='1.0'?>", "not well-formed"),
    ],
    ids=[
        "bomb",
        "bomb in an attribute",
        "file",
        "parameter",
        "outside",
        "deep",
        "cut",
        "wrong end",
        "control",
        "empty",
    ],
)
@pytest.mark.parametrize("records", [None, "//r", "//r[1]"], ids=["found", "plain path", "XPath"])
def test_what_is_dangerous_or_damaged_is_refused_in_words(document, words, records):
    """No file is read, nothing grows, no traceback."""
    with pytest.raises(PayloadUnreadable, match=words):
        read(document, parse_options={"format": "xml", "records": records})


def test_a_doctype_alone_is_not_fetched_and_does_no_harm(tmp_path):
    """Old feeds name one; its file, though there, is not read."""
    (tmp_path / "x.dtd").write_text('<!ATTLIST r stolen CDATA "yes">')
    data = f'<!DOCTYPE l SYSTEM "file://{tmp_path}/x.dtd"><l><r><n>1</n></r><r><n>2</n></r></l>'.encode()

    assert rows(data) == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"records": "/a/itms/item"}, "finds nothing in the document; there are `/a`, `/a/items`"),
        ({"records": "//q:item"}, "prefix `q`"),
        ({"records": "//q:item[1]"}, "Undefined namespace prefix"),
        ({"records": "//item[1]/$x", "format": "json"}, None),
    ],
    ids=["wrong path", "unknown prefix", "unknown prefix in XPath", "no XPath"],
)
def test_a_path_that_cannot_be_right_is_told(options, words):
    """What is there instead, or when the configuration is read."""
    if words is None:
        with pytest.raises(ValueError, match="not a JMESPath expression"):
            ParseOptions.model_validate(options)
        return
    with pytest.raises(PayloadUnreadable, match=words):
        read(b"<a><items><item>1</item></items></a>", parse_options=options)


@pytest.mark.parametrize(
    ("data", "got"),
    [(b"<html><p>login</p></html>", "HTML"), (b'{"a": 1}', "JSON"), (b"", "nothing"), (b"a,b\n", "text")],
)
def test_another_kind_is_told_from_xml(data, got):
    """With its first bytes."""
    with pytest.raises(PayloadUnreadable, match=f"expected XML, got .*{got}"):
        read(data, parse_options={"format": "xml"})


class Endless(io.RawIOBase):
    """A large document that is never in memory as a whole."""

    def __init__(self, row, count):
        self._parts = iter([b"<l><meta>x</meta>", *[row * 1000] * (count // 1000), b"</l>"])
        self._held = b""

    def readable(self):
        return True

    def readinto(self, buffer):
        while not self._held:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._held = part
        size = min(len(buffer), len(self._held))
        buffer[:size], self._held = self._held[:size], self._held[size:]
        return size


def large(options, count=300_000, memory_limit=10**9):
    row = b'<r id="1"><name>some name of a thing</name><v>1.5</v></r>'
    sent = Payload(lambda: io.BufferedReader(Endless(row, count)), len(row) * count, "0" * 64, "big.xml")
    return parse(
        Collected(PROVENANCE, (sent,)), dataset="big", options=ParseOptions(**options), memory_limit=memory_limit
    )


def test_a_large_document_is_read_piece_by_piece(monkeypatch):
    """What counts as large is lowered; types are found from all of its rows."""
    monkeypatch.setattr(xml_parser, "WHOLE", 2**20)

    batch = large({"records": "/l/r"}, 40_000)

    assert batch.rows == 40_000
    assert types(batch) == {"id": "int64", "name": "string", "v": "double"}


def test_what_was_read_of_a_large_document_is_forgotten():
    """When a record has its turn, nothing stands before it any more."""
    row = b"<g><skipped/><r>1</r><other>x</other></g>"
    request = ParseRequest("big", payload(b""), ParseOptions(records="/l/g/r", format="xml"))
    stream = Stream(request, None, plain_path("/l/g/r"))

    seen = 0
    for record in stream.records(io.BytesIO(b"<l>" + row * 5_000 + b"</l>"), 10**6):
        seen += 1
        if seen > 1:
            assert len(record.getparent().getparent()) < CHUNK // len(row) + 2

    assert seen == 5_000


@pytest.mark.prove
def test_a_document_larger_than_the_memory_is_read():
    """68 MB of XML, whose tree would take more than 500 MB, in a process of its own."""
    code = (
        "from tests.data_pipeline.parse.test_xml import large;"
        "batch = large({'records': '/l/r'}, 1_200_000);"
        "status = dict(line.split(':', 1) for line in open('/proc/self/status'));"
        "print(batch.rows, int(status['VmHWM'].split()[0]) // 1024)"  # getrusage begins with what the parent held
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert int(told[0]) == 1_200_000
    assert int(told[1]) < 400


def test_a_large_document_that_must_be_held_is_refused():
    """The message says how it could be read all the same."""
    with pytest.raises(MemoryLimitExceeded) as caught:
        large({"records": "//r[@id]"}, memory_limit=100 * 2**20)
    assert "plain path" in caught.value.hint
    with pytest.raises(MemoryLimitExceeded, match="without the end of an element"):
        large({"records": "/l"}, memory_limit=100 * 2**20)


NAMES = st.sampled_from(["a", "b", "c", "n:d"])
TREES = st.recursive(
    st.sampled_from(["", "1", "x y", "<e/>"]),
    lambda inner: st.lists(st.tuples(NAMES, inner), max_size=4).map(
        lambda items: "".join(f'<{name} k="1">{text}</{name}>' for name, text in items)
    ),
    max_leaves=12,
)


@given(st.lists(TREES, min_size=1, max_size=6), st.sampled_from(["/l/r", "//r", "r", "l/r", "//n:d", "/*/*"]))
def test_a_streamed_document_gives_what_a_tree_gives(trees, path):
    """Piece by piece or whole, the rows are the same; so are those of a real XPath engine in number."""
    document = ('<l xmlns:n="urn:n">' + "".join(f"<r>{tree}</r>" for tree in trees) + "</l>").encode()
    options = {"records": path, "format": "xml"}
    whole = rows(document, parse_options=options)

    limit, xml_parser.WHOLE = xml_parser.WHOLE, 8
    try:
        streamed = rows(gzip.compress(document), parse_options=options)
    finally:
        xml_parser.WHOLE = limit

    root = etree.fromstring(document)
    expected = root.xpath(f"/{path}" if path == "l/r" else path, namespaces={"n": "urn:n"})
    assert len(whole) == len(expected)
    # Records inside records come in another order, and so do their columns.
    assert _bag(streamed) == _bag(whole)


def _bag(found):
    return Counter(frozenset((name, value) for name, value in row.items() if value is not None) for row in found)
