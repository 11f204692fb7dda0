"""Tables whose cells are divided by blanks, as many as it takes to stand below each other."""

import re
from collections.abc import Iterable, Iterator

_RUN = re.compile(rb"[ \t]+")


def one_blank_each(lines: Iterable[bytes], quote: bytes) -> Iterator[bytes]:
    """The lines with one blank for each run of blanks and tabs, none at their ends; inside of quotes they stay.

    >>> list(one_blank_each([b"  a   b \\n", b'"x  y"\\t 2\\n'], b'"'))
    [b'a b\\n', b'"x  y" 2\\n']
    """
    inside = False
    for line in lines:
        if not inside and not (quote and quote in line):
            yield _RUN.sub(b" ", line.strip(b" \t\r\n")) + b"\n"
            continue
        parts = line.split(quote)
        made = [part if (at % 2 == 1) != inside else _RUN.sub(b" ", part) for at, part in enumerate(parts)]
        joined = quote.join(made)
        opened = inside
        inside = (len(parts) % 2 == 0) != inside
        joined = joined if opened else joined.lstrip(b" ")
        yield joined if inside else joined.rstrip(b" \r\n") + b"\n"
