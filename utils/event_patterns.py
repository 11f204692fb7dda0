"""Which event types a pattern means: `run.finished`, `run.*`, `run.**`."""

__all__ = ["check", "matches"]


def matches(pattern: str, kind: str) -> bool:
    """Whether the event type `kind` is meant by `pattern`: `*` is one segment, a final `**` one or more.

    >>> [matches(p, "run.step.done") for p in ("run.step.done", "run.*", "run.*.done", "run.**", "**")]
    [True, False, True, True, True]
    """
    wanted, have = pattern.split("."), kind.split(".")
    if wanted[-1] == "**":
        wanted.pop()
        if len(have) <= len(wanted):
            return False
        del have[len(wanted) :]
    return len(wanted) == len(have) and all(w in {"*", h} for w, h in zip(wanted, have, strict=True))


def check(pattern: str) -> None:
    """Raises `ValueError` when `pattern` is not an event type with `*` for whole segments or `**` for the last."""
    segments = pattern.split(".")
    allowed = [{"*"}] * (len(segments) - 1) + [{"*", "**"}]
    if any(not one or ("*" in one and one not in stars) for one, stars in zip(segments, allowed, strict=True)):
        raise ValueError(f"pattern {pattern!r}: expected a type such as run.finished, run.* (one segment) or run.**")
