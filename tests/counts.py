"""How many examples a property is tried with.

The daily run tries a share of them, the same ones each time: whether it passes is not a matter of luck.
`make prove` tries the full counts, new ones each time.
"""

from hypothesis import settings

__all__ = ["FULL", "SHORT", "few", "register"]

SHORT = "short"
FULL = "full"


def register() -> None:
    """Both profiles; `pytest --hypothesis-profile full` chooses the other one.

    No deadlines: the first example of a test imports what it needs, on a machine that does other things too. What
    hangs is ended by pytest's own time limit.
    """
    settings.register_profile(FULL, deadline=None)
    settings.register_profile(SHORT, deadline=None, derandomize=True, max_examples=_share(settings().max_examples))
    settings.load_profile(SHORT)


def few(full: int) -> int:
    """Of as many examples, those that this run tries."""
    return full if settings.get_current_profile_name() == FULL else _share(full)


def _share(full: int) -> int:
    return max(full // 4, min(full, 12))
