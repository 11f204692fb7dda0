"""XML documents: elements become rows of text, whatever the encoding; nothing is fetched and no entity is resolved."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from data_pipeline.batch import ROWS_PER_BATCH
from data_pipeline.errors import MemoryLimitExceeded
from data_pipeline.parse.encoding import CHUNK, open_bytes
from data_pipeline.parse.options import is_text_encoding
from data_pipeline.parse.parser import Parsed, ParseRequest
from data_pipeline.parse.sniff import HEAD, detect_format, markup
from data_pipeline.parse.unreadable import first_line, not_as_promised, unreadable
from data_pipeline.parse.xml_paths import Paths, all_kept, paths_of
from data_pipeline.parse.xml_records import find_records, shown_path
from data_pipeline.parse.xml_rows import Rows, local, repeated_in
from data_pipeline.parse.xml_stream import Stream
from data_pipeline.parse.xpath import PlainPath, plain_path

if TYPE_CHECKING:
    from utils.arrow import pa

WHOLE = 16 * 2**20
"""Documents up to this many bytes are held as a tree; larger ones too when `records` is no plain path."""

TREE_COST = 8
"""A tree takes about this many times the bytes of its text."""


def parse_xml(request: ParseRequest) -> Parsed:
    """The elements that `records` finds, as text; without it the elements that repeat most, with a note.

    A large document is read piece by piece when `records` is a plain path, such as `/rates/rate` or `//rate`.

    Raises:
        PayloadUnreadable: not well-formed, nested deeper than 256 elements, declares entities, or is a SOAP fault.
        MemoryLimitExceeded: the document must be held as a whole and is too large for `memory_limit`.
    """
    with open_bytes(request) as stream:
        head = stream.read(HEAD)
        _check_kind(request, head)
        data = head + stream.read(WHOLE + 1 - len(head)) if len(head) < WHOLE else head
    path = plain_path(request.options.records) if request.options.records else None
    encoding = _encoding(request, head)
    notes: list[str] = []
    paths = paths_of(request.columns)
    if len(data) > WHOLE and path is not None and all_kept(paths):
        return Parsed(_streamed(request, path, encoding, notes), notes, text=True)
    root, prefixes = _tree(request, encoding, data)
    found = _found(request, root, path, prefixes, notes)
    return Parsed(_batches(request, lambda: iter(found), notes, prefixes), notes, text=True)


def _check_kind(request: ParseRequest, head: bytes) -> None:
    kind = markup(head) or detect_format(head, request.payload.name, request.payload.media_type)
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"} or (kind == "csv" and head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"):
        return
    if kind == "html" or kind != "xml":
        raise not_as_promised(request, "XML", kind, head)


def _encoding(request: ParseRequest, head: bytes) -> str | None:
    """What overrides the document: the option, or the provider's charset where the document says nothing."""
    if request.options.encoding != "auto":
        return request.options.encoding
    declared = b"encoding" in head[:200].partition(b"?>")[0] or head.startswith(
        (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
    )
    charset = request.payload.charset
    return None if declared or not charset or not is_text_encoding(charset) else charset


def _tree(request: ParseRequest, encoding: str | None, data: bytes) -> tuple[Any, dict[str, str]]:
    """The root, and the prefixes of the configuration and of the document."""
    stream = Stream(request, encoding)
    if len(data) <= WHOLE:
        stream.feed(data)
    else:
        limit, fed = request.memory_limit // TREE_COST, 0
        with open_bytes(request) as source:
            while chunk := source.read(CHUNK):
                fed += len(chunk)
                if fed > limit:
                    raise MemoryLimitExceeded(
                        f"{request.dataset}: an XML document of more than {limit:,} bytes does not fit into "
                        "app.memory_limit",
                        hint="set `parse.records` to a plain path such as `/rates/rate`, which is read in parts, and "
                        "take by `from` only attributes of the elements around it",
                    )
                stream.feed(chunk)
    root = stream.close()
    _refuse_fault(request, root)
    return root, {**stream.prefixes, **request.options.namespaces}


def _found(
    request: ParseRequest, root: Any, path: PlainPath | None, prefixes: dict[str, str], notes: list[str]
) -> list[Any]:
    records = request.options.records
    if not records:
        likely, where = find_records(root)
        notes.append(f"no `parse.records`; the rows are the elements at `{where}`")
        return likely
    if path is None:
        return _by_xpath(request, root, records, prefixes, notes)
    for prefix, _ in path.steps:
        if prefix and prefix not in prefixes:
            raise _unknown_prefix(request, prefix)
    found: list[Any] = []
    tags: list[str] = []
    parent_seen = not path.anchored
    parent = PlainPath(path.steps[:-1], path.anchored, path.relative)
    from lxml import etree

    for event, element in etree.iterwalk(root, events=("start", "end")):
        if event == "end":
            tags.pop()
            continue
        tags.append(element.tag)
        if path.matches(tags, prefixes):
            found.append(element)
        elif not parent_seen and len(tags) >= len(parent.steps):
            parent_seen = not parent.steps or parent.matches(tags, prefixes)
    if not found:
        _nothing_found(request, root, notes, strict=not parent_seen)
    return found


def _by_xpath(request: ParseRequest, root: Any, records: str, prefixes: dict[str, str], notes: list[str]) -> list[Any]:
    from lxml import etree

    namespaces = {prefix: uri for prefix, uri in prefixes.items() if prefix}
    try:
        result = root.xpath(records, namespaces=namespaces)
        if isinstance(result, list) and not result and not records.startswith(("/", "(")):
            result = root.getroottree().xpath(f"/{records}", namespaces=namespaces)
    except (etree.XPathError, ValueError, TypeError) as error:
        raise unreadable(
            request, f"`records: {records}`: {first_line(error)}", hint="check `parse.records` and `parse.namespaces`"
        ) from error
    found = result if isinstance(result, list) else [result]
    found = [item for item in found if not isinstance(item, tuple)]  # a namespace is a pair, and no row
    if not found:
        _nothing_found(request, root, notes, strict=False)
    return found


def _unknown_prefix(request: ParseRequest, prefix: str) -> Exception:
    return unreadable(
        request,
        f"`records` uses the prefix `{prefix}`, which neither the document nor `parse.namespaces` declares",
        hint=f"set `parse.namespaces: {{{prefix}: <uri>}}`",
    )


def _nothing_found(request: ParseRequest, root: Any, notes: list[str], *, strict: bool) -> None:
    """No rows may be honest; that the place for them is missing too is not."""
    records = request.options.records
    paths = ", ".join(f"`{path}`" for path in shown_path(root))
    default = root.nsmap.get(None)
    space = f"; its elements are in the namespace `{default}`" if default else ""
    if strict:
        raise unreadable(
            request,
            f"`records: {records}` finds nothing in the document; there are {paths}{space}",
            hint="check `parse.records` and `parse.namespaces`",
        )
    notes.append(f"`records: {records}` finds nothing; there are {paths}{space}")


def _refuse_fault(request: ParseRequest, root: Any) -> None:
    """A SOAP fault may come with status 200; it is an answer, and no data."""
    if local(root.tag) != "Envelope":
        return
    for fault in root.iterfind("{*}Body/{*}Fault"):
        words = [" ".join(text.split()) for text in fault.itertext() if text.strip()]
        raise unreadable(
            request, f"the service answered with a SOAP fault: {' · '.join(words)[:300]}", hint="look at the request"
        )


def _streamed(
    request: ParseRequest, path: PlainPath, encoding: str | None, notes: list[str]
) -> Iterator["pa.RecordBatch"]:
    prefixes: dict[str, str] = {}

    def records() -> Iterator[Any]:
        stream = Stream(request, encoding, path)
        with open_bytes(request) as source:
            yield from stream.records(source, request.memory_limit // TREE_COST)
        prefixes.update({**stream.prefixes, **request.options.namespaces})

    yield from _batches(request, records, notes, prefixes)


def _batches(
    request: ParseRequest, records: Callable[[], Iterator[Any]], notes: list[str], prefixes: dict[str, str]
) -> Iterator["pa.RecordBatch"]:
    """`prefixes`: complete when the records were read once."""
    repeated: set[str] = set()
    for record in records():
        if not isinstance(record, str | int | float):
            repeated_in(record, repeated)
    options, paths = request.options, paths_of(request.columns)
    rows = Rows(
        attributes=options.attributes,
        na_values=options.na_values,
        repeated=repeated,
        elsewhere=Paths(request, paths, prefixes).cells if paths else None,
    )
    held: list[dict[str, str | None]] = []
    given = False
    try:
        for record in records():
            held.append(rows.row(record))
            if len(held) == ROWS_PER_BATCH // 4:
                yield rows.batch(held)
                held, given = [], True
        if held or not given:
            yield rows.batch(held)
    except ValueError as error:
        raise unreadable(request, str(error), hint="set `parse.records`") from error
    notes += rows.notes
