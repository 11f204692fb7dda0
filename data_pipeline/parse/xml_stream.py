"""Reading XML piece by piece, safely: no network, no entities, bounded depth."""

from collections.abc import Iterator
from typing import IO, Any

from data_pipeline.errors import MemoryLimitExceeded, PayloadUnreadable
from data_pipeline.parse.parser import ParseRequest
from data_pipeline.parse.unreadable import first_line, unreadable
from data_pipeline.parse.xpath import PlainPath

CHUNK = 2**18


class Stream:
    """A parser that is fed with bytes.

    Without `huge_tree` libxml2 refuses more than 256 levels, texts of more than 10 MB, and entities that grow.

    Raises:
        PayloadUnreadable: from any method; the document is not well-formed or declares entities.
    """

    def __init__(self, request: ParseRequest, encoding: str | None, path: PlainPath | None = None) -> None:
        from lxml import etree

        self._request = request
        self._path = path
        self._etree: Any = etree
        self._has_doctype: bool | None = None
        self.prefixes: dict[str, str] = {}
        """Prefix -> URI as the document declares them; the outermost counts."""

        try:
            self._parser = etree.XMLPullParser(
                tag=None if path is None else f"{{*}}{path.steps[-1][1]}",
                events=("start-ns",) if path is None else ("end", "start-ns"), encoding=encoding,
                resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
                remove_comments=True, remove_pis=True,
            )  # fmt: skip
            # `collect_ids=False` would be quicker and makes libxml2 load the external DTD, whatever `load_dtd` says.
            self._parser.resolvers.add(_nothing_outside(etree))
        except LookupError as error:
            raise unreadable(
                request, f"the XML reader does not know the encoding `{encoding}`", hint="check `parse.encoding`"
            ) from error

    def feed(self, chunk: bytes) -> None:
        """Builds the tree on; for documents that are held as a whole."""
        for _ in self._events(chunk):
            pass

    def close(self) -> Any:
        """The root, when everything was fed."""
        try:
            root = self._parser.close()
        except self._etree.XMLSyntaxError as error:
            raise self._explained(error) from error
        self._refuse_entities(root)
        return root

    def records(self, source: IO[bytes], longest: int) -> Iterator[Any]:
        """The elements at the path, each forgotten after its turn, with all that stands before it.

        Raises:
            MemoryLimitExceeded: more than `longest` bytes come between the ends of two records.
        """
        assert self._path is not None
        namespaces = _Namespaces(self._request.options.namespaces, self.prefixes)
        known: dict[tuple[str, ...], tuple[bool, bool]] = {}
        fed = 0
        while chunk := source.read(CHUNK):
            fed += len(chunk)
            if fed > longest:
                raise MemoryLimitExceeded(
                    f"{self._request.dataset}: more than {longest:,} bytes of XML without the end of an element "
                    f"`{self._request.options.records}` do not fit into app.memory_limit",
                    hint="check `parse.records`, or let it name smaller elements",
                )
            for item in self._events(chunk):
                tags = (item.tag, *(element.tag for element in item.iterancestors()))[::-1]
                found = known.get(tags)
                if found is None:
                    depths = [self._path.matches(tags[:depth], namespaces) for depth in range(1, len(tags) + 1)]
                    found = known[tags] = depths[-1], any(depths[:-1])
                is_record, within_another = found
                if not is_record:
                    continue
                self._refuse_entities(item)
                fed = 0
                yield item
                if not within_another:
                    _forget(item)
        self.close()

    def _events(self, chunk: bytes) -> Iterator[Any]:
        """The elements that end in a chunk."""
        try:
            self._parser.feed(chunk)
            for event, item in self._parser.read_events():
                if event == "start-ns":
                    self.prefixes.setdefault(*item)
                else:
                    yield item
        except self._etree.XMLSyntaxError as error:
            raise self._explained(error) from error

    def _refuse_entities(self, element: Any) -> None:
        if self._has_doctype is None:
            self._has_doctype = bool(element.getroottree().docinfo.doctype)
        if not self._has_doctype:
            return
        information = element.getroottree().docinfo
        internal = information.internalDTD
        if internal is not None and internal.entities():
            raise unreadable(
                self._request,
                "the document declares entities, which are not resolved: they can read files and fill the memory",
                hint="ask the provider for XML without a DOCTYPE",
            )
        # One of a DTD that we do not fetch would silently be no text.
        for reference in element.iter(self._etree.Entity):
            raise unreadable(
                self._request,
                f"line {reference.sourceline:,} uses the entity {reference.text}, which is declared elsewhere and not "
                "fetched",
                hint="ask the provider for XML without a DOCTYPE",
            )

    def _explained(self, error: Any) -> PayloadUnreadable:
        return unreadable(
            self._request,
            f"not well-formed XML: {error.msg or first_line(error)}",
            hint="check `parse.format` and `parse.encoding`, or whether the download was cut off",
        )


class _Namespaces(dict[str, str]):
    """Those of the configuration, then those that the document has declared so far."""

    def __init__(self, configured: dict[str, str], declared: dict[str, str]) -> None:
        super().__init__(configured)
        self._declared = declared

    def __missing__(self, prefix: str) -> str:
        return self._declared.get(prefix, "\0")  # no element can be in a namespace that nobody declared


def _nothing_outside(etree: Any) -> Any:
    """Whatever a document asks for besides itself is empty."""

    class Nothing(etree.Resolver):  # type: ignore[misc]  # lxml comes without types
        def resolve(self, _url: str, _id: str, context: Any) -> Any:
            return self.resolve_empty(context)

    return Nothing()


def _forget(element: Any) -> None:
    """The element's content, and all that stands before it and before what it stands in."""
    element.clear()
    while element is not None:
        parent = element.getparent()
        while parent is not None and parent[0] is not element:
            del parent[0]
        element = parent
