"""`/metrics`: the whole state as numbers, for Prometheus."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.cached import read
from api.figures import Figures
from api.problems import Refused
from integrated_system import IntegratedSystem
from operations.metrics import as_prometheus

__all__ = ["router"]

router = APIRouter(tags=["monitoring"])

MEDIA_TYPE = "text/plain"
FORMAT = f"{MEDIA_TYPE}; version=0.0.4; charset=utf-8"

_EXAMPLE = """# HELP orchestrator_dataset_age_seconds Age of our copy
# TYPE orchestrator_dataset_age_seconds gauge
orchestrator_dataset_age_seconds{dataset="earthquakes"} 610.2
"""


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": _EXAMPLE}}}},
    summary="For Prometheus",
)
async def metrics(request: Request) -> Response:
    """The text format of Prometheus, version 0.0.4. Off with `api.exporter: false`, and by its variable."""
    system: IntegratedSystem = request.app.state.system
    if not system.settings.api.exporter:
        raise Refused(404, "there are no metrics here", hint="`api.exporter` is off in the configuration")
    figures: Figures = request.app.state.figures
    return await read(request, lambda asked: as_prometheus(asked) + figures.text(), media_type=FORMAT)
