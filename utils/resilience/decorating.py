"""What all decorators of this folder refuse."""

import inspect
from collections.abc import Callable
from typing import Any


def refuse_generators(owner: str, function: Callable[..., Any], instead: str) -> None:
    """Refuse to decorate a generator: its body runs after the call came back, so nothing around the call sees it.

    Args:
        owner: Who refuses, for the error: `retry ecb`.
        instead: What to do.

    Raises:
        TypeError: `function` is a generator function, or an asynchronous one.
    """
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{owner}: {function.__name__} is a generator, whose body runs after the call; {instead}")
