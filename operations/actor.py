"""Who asks, and what they may do."""

import getpass
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import Concatenate, Literal, ParamSpec, TypeVar

from integrated_system import IntegratedSystem

Role = Literal["viewer", "operator", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "operator", "admin")

P = ParamSpec("P")
R = TypeVar("R")


class UsageError(Exception):
    """What was asked for cannot be understood. `missing`: there is nothing of that name."""

    transient = False

    def __init__(self, message: str, *, hint: str = "", missing: bool = False) -> None:
        super().__init__(message)
        self.hint, self.missing = hint, missing


class NotAllowedError(Exception):
    """The actor's role does not reach."""

    transient = False
    hint = "ask somebody with that role"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it, as it stands in the log."""

    name: str
    role: Role = "operator"


def local_user() -> Actor:
    """The person at the command line: operator, whether tokens exist or not, for the state directory is theirs."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())  # a container's user often has no name
    return Actor(f"local:{name}")


def owner() -> Actor:
    """The same person where keys are handed out: who can write the state directory could write a token into it."""
    return replace(local_user(), role="admin")


Operation = Callable[Concatenate[IntegratedSystem, Actor, P], R]


def operation(role: Role) -> Callable[[Operation[P, R]], Operation[P, R]]:
    """Mark a function that changes something: only an actor of `role` or above gets through."""

    def mark(function: Operation[P, R]) -> Operation[P, R]:
        @wraps(function)
        def checked(system: IntegratedSystem, actor: Actor, /, *args: P.args, **kwargs: P.kwargs) -> R:
            if ROLES.index(actor.role) < ROLES.index(role):
                raise NotAllowedError(f"{actor.name} is {actor.role}; {function.__name__} needs {role}")
            return function(system, actor, *args, **kwargs)

        return checked

    return mark
