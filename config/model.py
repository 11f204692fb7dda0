"""The base of every section: unknown keys refused, values frozen; and laying one partial section over another."""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Section(BaseModel):
    """One map of the configuration. Frozen, so defaults are shared and never copied."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def listed(value: object) -> object:
    """One text is a list of one."""
    return [value] if isinstance(value, str) and value else value or []


Names = Annotated[tuple[str, ...], BeforeValidator(listed)]
"""Several texts; one may be written bare."""

S = TypeVar("S", bound=BaseModel)


def laid_over(base: S, over: S) -> S:
    """`base` with the keys that were written in `over`, section by section; a written null counts."""
    if not over.model_fields_set:
        return base
    changed: dict[str, Any] = {}
    for name in over.model_fields_set:
        below, above = getattr(base, name), getattr(over, name)
        both = isinstance(below, BaseModel) and isinstance(above, BaseModel)
        changed[name] = laid_over(below, above) if both else above
    return base.model_copy(update=changed)
