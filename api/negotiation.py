"""Which of the forms we have the asker wants (`Accept`, RFC 9110 section 12.5.1)."""

from collections.abc import Sequence

from starlette.requests import Request

from api.problems import Refused

__all__ = ["wanted"]

_ANYTHING = {"", "*/*", "application/json", "application/json, */*", "*/*;q=0.8"}


def wanted(request: Request, offered: Sequence[str] = ("application/json",)) -> str:
    """The media type among `offered` (ours, the first is the default) that the asker likes best.

    Raises:
        Refused: 406, it takes none of them.
    """
    accept = request.headers.get("accept", "")
    if accept in _ANYTHING and (accept != "application/json" or offered[0] == accept):
        return offered[0]
    ranges = [_range(part) for part in accept.split(",") if part.strip()]
    liked = [(_liking(ranges, media), -position, media) for position, media in enumerate(offered)]
    liking, _, best = max(liked)
    if liking <= 0.0:
        detail = f"Accept: {', '.join(kind for kind, _ in ranges[:5])[:200]} is not among what there is"
        raise Refused(406, detail, hint=f"there is {', '.join(offered)}")
    return best


def _range(part: str) -> tuple[str, float]:
    kind, *parameters = (piece.strip() for piece in part.split(";"))
    quality = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
    try:
        return kind.lower(), min(1.0, max(0.0, float(quality)))
    except ValueError:
        return kind.lower(), 0.0


def _liking(ranges: Sequence[tuple[str, float]], media: str) -> float:
    """The quality of the most exact range that fits."""
    for exact in (media, media.partition("/")[0] + "/*", "*/*"):
        found = [quality for kind, quality in ranges if kind == exact]
        if found:
            return max(found)
    return 0.0
