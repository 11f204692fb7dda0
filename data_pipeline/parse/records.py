"""Where the rows are in a JSON document: a plain dotted path quickly, anything else by JMESPath."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


def check_path(path: str) -> None:
    """Raises ValueError when `path` is not a JMESPath expression (https://jmespath.org/specification.html)."""
    search(path)


def check_records(path: str, kind: str) -> None:
    """Raises ValueError when `path` is not what the format needs: XPath for XML, else JMESPath; `auto` takes both."""
    from data_pipeline.parse.xpath import check_xpath

    if kind == "xml":
        check_xpath(path)
        return
    try:
        check_path(path)
    except ValueError as error:
        try:
            if kind != "auto" or "/" not in path:
                raise
            check_xpath(path)
        except ValueError:
            raise error from None


@lru_cache(maxsize=256)
def search(path: str) -> Callable[[Any], Any]:
    """A function from document to what the path finds there, `None` when there is nothing."""
    if _PLAIN.fullmatch(path):
        return _plain(tuple(path.split(".")))
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        expression = jmespath.compile(path)
    except JMESPathError as error:
        raise ValueError(f"`{path}` is not a JMESPath expression: {str(error).splitlines()[0]}") from error
    except ValueError as error:  # some lexer errors are plain
        raise ValueError(f"`{path}` is not a JMESPath expression: {error}") from error
    except RecursionError as error:
        raise ValueError(f"`{path[:100]}…` is not a JMESPath expression: it is nested too deeply") from error

    from data_pipeline.parse.jmes_functions import RowFunctions

    options = jmespath.Options(custom_functions=RowFunctions())

    def find(document: Any) -> Any:
        try:
            return expression.search(document, options=options)
        except JMESPathError as error:
            raise ValueError(f"`{path}` does not fit the document: {str(error).splitlines()[0]}") from error

    return find


def _plain(keys: tuple[str, ...]) -> Callable[[Any], Any]:
    def find(document: Any) -> Any:
        for key in keys:
            if not isinstance(document, dict):
                return None
            document = document.get(key)
        return document

    return find
