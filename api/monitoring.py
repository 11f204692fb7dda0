"""The paths that monitoring clients use. On this machine anybody may read them."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.cached import read
from api.probes import Wellness
from integrated_system import IntegratedSystem
from operations.health import health
from operations.host_snapshots import recent_snapshots
from operations.live import active_alerts
from operations.overview import overview

__all__ = ["router"]

router = APIRouter(prefix="/api/monitoring", tags=["monitoring"])


class MonitoringHealth(Wellness):
    """All checks, and what they say in a word."""

    status: Literal["healthy", "unhealthy"]


class AlertContext(BaseModel):
    """Where an alert comes from. `seq`: its position in the log; None: as it stands now."""

    model_config = ConfigDict(extra="allow")

    id: str
    time: str = Field(examples=["2026-03-28T06:00:00.000000Z"])
    type: str = Field(examples=["dataset.failed"], description="A rule's name, or what a program called it.")
    kind: str = Field(examples=["opened"])
    source: str = Field(examples=["incidents"])
    incident: str | None = Field(examples=["3f9c2a1b"])
    datasets: list[str] = Field(examples=[["earthquakes"]])
    seq: int | None = Field(examples=[1204])


class LiveAlert(BaseModel):
    """What people are told; the same as `/ws` sends."""

    type: Literal["alert"]
    severity: Literal["info", "warning", "error", "critical"]
    title: str
    message: str
    context: AlertContext


class AlertsNow(BaseModel):
    """`critical`: incidents that are critical and not over; `latest`: the 20 told last, newest first."""

    active: int = Field(description="Incidents that are not over.")
    critical: list[LiveAlert]
    latest: list[LiveAlert]


class HostNow(BaseModel):
    """This machine. `report`: None where another process watches, or nobody."""

    watched_here: bool
    report: dict[str, Any] | None
    latest: dict[str, Any] | None


class SystemNow(BaseModel):
    """Everything at a glance."""

    app: str
    version: str
    status: Literal["ok", "degraded", "failed"]
    sentence: str
    datasets: dict[str, int]
    incidents: dict[str, int]
    last_run: dict[str, Any] | None
    queued: int
    host: HostNow


class Snapshots(BaseModel):
    """Of this machine, the oldest first."""

    minutes: float
    source: Literal["monitor", "history", "none"]
    count: int
    snapshots: list[dict[str, Any]]


@router.get("/health", response_model=MonitoringHealth, summary="Everything is well")
async def monitoring_health(request: Request) -> Response:
    """The same checks as `/health`; always 200, `status` says how it is."""
    return await read(request, _health)


@router.get("/status", response_model=SystemNow, summary="Everything at a glance")
async def monitoring_status(request: Request) -> Response:
    """Datasets by how they stand, incidents by severity, the last run, this machine."""
    return await read(request, lambda system: overview(system).to_json())


@router.get("/alerts/active", response_model=AlertsNow, summary="What is wrong")
async def alerts_active(request: Request) -> Response:
    """What is critical now, and the latest 20 alerts."""
    return await read(request, lambda system: active_alerts(system).to_json())


@router.get("/snapshots/recent", response_model=Snapshots, summary="This machine, lately")
async def snapshots_recent(
    request: Request,
    minutes: Annotated[float, Query(gt=0, le=1440, description="How far back.")] = 10.0,
) -> Response:
    """Each look of the monitor when it runs in this process (`serve`), else means of a minute from the history."""
    return await read(request, lambda system: recent_snapshots(system, minutes=minutes).to_json())


def _health(system: IntegratedSystem) -> Any:
    found = health(system)
    return {"status": "healthy" if found.healthy else "unhealthy", **found.to_json()}
