"""`success` and `transient_when`: a condition on an answer, as JMESPath, XPath or RE2 by what the answer is."""

from functools import lru_cache
from typing import IO, Any

from data_pipeline.collect.http import answers
from data_pipeline.collect.http.xpaths import asked, prefixes, root_of
from data_pipeline.parse.sniff import HEAD, detect_format
from data_pipeline.validate.pattern import check_pattern

__all__ = ["check_condition", "holds", "is_web_page"]

LARGEST_DOCUMENT = 64 * 10**6
"""Bytes of JSON or XML that are read into memory to look at a condition."""
TEXT_READ = 4 * 2**20
"""Bytes of any other answer that are searched."""


def check_condition(text: str) -> str:
    """The text itself, so that it serves as a validator.

    Raises:
        ValueError: it is neither JMESPath nor XPath nor RE2.
    """
    faults: list[str] = []
    for name, check in (("JMESPath", _jmespath), ("RE2", check_pattern), ("XPath", _xpath)):
        try:
            check(text)
        except ValueError as error:
            faults.append(f"as {name}: {error}")
        else:
            return text
    raise ValueError(f"`{text}` is neither JMESPath (for JSON) nor XPath (for XML) nor RE2 (for text); {faults[0]}")


def holds(text: str, content: IO[bytes], *, media_type: str = "", name: str = "") -> bool:
    """Whether the condition is true of an answer.

    JSON is asked by JMESPath (true as JMESPath says: not null, false or empty), XML by XPath, everything else by a
    search of RE2. A condition that is not of its answer's language is searched as RE2.

    Args:
        media_type: The whole header, its charset included.

    Raises:
        ValueError: it cannot be told: the document is too large, or broken.
    """
    kind, charset = answers.media_type(media_type)
    head = content.read(HEAD)
    found = detect_format(head, name, kind)
    if found == "json" and _is(_jmespath, text):
        return _in_json(text, _whole(head, content))
    # One empty element does not look like XML yet.
    is_xml = found == "xml" or (found == "csv" and "xml" in kind and head.lstrip().startswith(b"<"))
    if is_xml and _is(_xpath, text):
        return _in_xml(text, _whole(head, content))
    return _in_text(text, head + content.read(TEXT_READ - len(head)), charset)


def is_web_page(content: IO[bytes]) -> bool:
    """Whether an answer is HTML."""
    return detect_format(content.read(HEAD)) == "html"


def _whole(head: bytes, content: IO[bytes]) -> bytes:
    whole = head + content.read(LARGEST_DOCUMENT + 1 - len(head))
    if len(whole) > LARGEST_DOCUMENT:
        raise ValueError(f"the document is larger than {LARGEST_DOCUMENT:,} bytes")
    return whole


def _in_json(text: str, content: bytes) -> bool:
    import orjson

    try:
        value = _jmespath(text).search(orjson.loads(content))
    except orjson.JSONDecodeError as error:
        raise ValueError(f"the answer is no JSON ({error})") from error
    except ValueError as error:  # a function of JMESPath that does not fit the document
        raise ValueError(f"it does not fit the document: {str(error).splitlines()[0]}") from error
    return not (value is None or value is False or (isinstance(value, str | list | dict) and not value))


def _in_xml(text: str, content: bytes) -> bool:
    return bool(asked(root_of(content), text))


def _in_text(text: str, content: bytes, charset: str) -> bool:
    from utils.arrow import compute, pa

    try:
        words = content.decode(charset or "utf-8", "replace")
    except LookupError:
        words = content.decode("utf-8", "replace")
    try:
        return bool(compute.match_substring_regex(pa.array([words]), text)[0].as_py())
    except pa.ArrowInvalid as error:
        raise ValueError(f"RE2 does not take it ({str(error).splitlines()[0]})") from error


def _is(language: Any, text: str) -> bool:
    try:
        language(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=256)
def _jmespath(text: str) -> Any:
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        return jmespath.compile(text)
    except JMESPathError as error:
        raise ValueError(str(error).splitlines()[0]) from error


@lru_cache(maxsize=256)
def _xpath(text: str) -> None:
    from lxml import etree

    try:
        etree.XPath(text, namespaces={prefix: f"urn:{prefix}" for prefix in prefixes(text)})
    except etree.XPathError as error:
        raise ValueError(str(error)) from error
