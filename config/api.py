"""Where the REST API is served, and what it lets through: `api`."""

from typing import Annotated

from pydantic import Field

from config.model import Names, Section
from config.sections import Port

__all__ = ["ApiRateSettings", "ApiSettings"]


class ApiRateSettings(Section):
    """Requests a second of one client, and how many at once."""

    rate: Annotated[float, Field(gt=0)] = 50.0
    burst: Annotated[int, Field(ge=1)] = 100


class ApiSettings(Section):
    """Where the API listens. `exporter`: whether `/metrics` is there; `cors`: origins that browsers may come from."""

    host: str = Field("127.0.0.1", min_length=1)
    port: Port = 8000
    exporter: bool = True
    rate_limit: ApiRateSettings = ApiRateSettings()
    cors: Names = ()
