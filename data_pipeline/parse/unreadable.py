"""The words of `PayloadUnreadable`: what was expected, what came instead, where to look."""

from data_pipeline.errors import PayloadUnreadable
from data_pipeline.parse.parser import ParseRequest

_NOUNS = {
    "html": "HTML", "xml": "XML", "excel": "a workbook", "parquet": "Parquet", "arrow": "Arrow IPC",
    "json": "JSON", "jsonl": "JSON lines", "csv": "delimited text", "prometheus": "Prometheus text",
    "binary": "binary data", "zip": "a zip archive",
}  # fmt: skip


_LONGEST = 1_000
"""Signs of a message that are shown; a name as sent may have a million."""


def unreadable(request: ParseRequest, what: str, hint: str = "") -> PayloadUnreadable:
    """The error for one payload, ready to raise; names dataset and payload."""
    name = request.payload.name
    where = f"{request.dataset} ({name})" if name else request.dataset
    return PayloadUnreadable(f"{where}: {printable(what)}", hint=hint)


def printable(text: str) -> str:
    """Text that holds names or cells as sent, in one line of bounded length without control characters."""
    shown = "".join(sign if sign.isprintable() else "·" for sign in text[:_LONGEST])
    return shown if len(text) <= _LONGEST else f"{shown}…"


def not_as_promised(request: ParseRequest, expected: str, got: str, head: bytes) -> PayloadUnreadable:
    """The payload is of another kind than promised, in words such as

    fx_daily: expected `;`-separated text, got HTML (first bytes: `<html><body>`). Check `parse.format`, or the
    provider's login page.
    """
    advice = "Check `parse.format`"
    if got == "html":
        advice += ", or the provider's login page"
    if not head.strip():
        return unreadable(request, f"expected {expected}, got nothing. {advice}.", hint=advice)
    came = f"{_NOUNS.get(got, got)} (first bytes: {first_bytes(head)})"
    return unreadable(request, f"expected {expected}, got {came}. {advice}.", hint=advice)


def first_bytes(head: bytes, count: int = 60) -> str:
    """The start of a payload, safe to print in one line."""
    text = head[:count].decode("utf-8", "replace")
    return "`" + "".join(sign if sign.isprintable() else "·" for sign in text) + "`"


def first_line(error: BaseException) -> str:
    """What an exception says, in one line."""
    return str(error).partition("\n")[0] or type(error).__name__
