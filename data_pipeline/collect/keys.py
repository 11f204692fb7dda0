"""Keys of a `collect:` block that the configuration contract names and this version does not act on yet."""

from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationInfo

__all__ = ["NotYet", "only"]


def _refuse(_value: Any, info: ValidationInfo) -> None:
    raise ValueError(f"`{info.field_name}` is not supported yet; remove it")


NotYet = Annotated[None, BeforeValidator(_refuse)]
"""A key that a later version brings. Setting it is an error, never silently ignored."""


def only(*supported: Any) -> BeforeValidator:
    """For a key of which some values work already: any other is not supported yet."""

    def refuse_others(value: Any, info: ValidationInfo) -> Any:
        if value not in supported:
            words = " or ".join(f"`{word}`" for word in supported)
            raise ValueError(f"`{info.field_name}: {value}` is not supported yet; only {words}")
        return value

    return BeforeValidator(refuse_others)
