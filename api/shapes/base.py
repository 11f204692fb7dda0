"""What all documents of bodies have in common, and the parts that several of them have."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

__all__ = ["Action", "Attempt", "RunStatus", "Share", "Time", "Told"]

Time = Annotated[str, WithJsonSchema({"type": "string", "examples": ["2026-11-20T08:00:00.000000Z"]})]
"""RFC 3339, UTC."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]

RunStatus = Literal["queued", "running", "succeeded", "degraded", "failed", "crashed", "cancelled", "interrupted"]


class Told(BaseModel):
    """A body. New members may come at any time."""

    model_config = ConfigDict(extra="allow")


class Attempt(Told):
    """What came of handing a version to a sink.

    `waiting`: it is tried again at the next run. `refused`: it is not sent again; later versions are.
    """

    dataset: str = Field(examples=["orders"])
    sink: str
    kind: str = Field(examples=["file"])
    version: str
    state: Literal["published", "waiting", "refused"]
    rows: int | None
    attempts: int
    error: dict[str, Any] | None


class Action(Told):
    """A command to paste, and what it does."""

    command: str = Field(examples=["run orders"])
    does: str
