"""`python -m benchmarks.api_server CONFIG STATE`: the API with one route more, which gives the same bytes each time.

That route is the floor of a read: the same layers around it, the same body, and nothing to know. Prints the address.
"""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
from starlette.responses import Response

from api.app import create_app
from api.serving import ApiService
from integrated_system import IntegratedSystem
from operations.status import listed_datasets

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["PATH"]

PATH = "/api/v1/static"


def _with_floor(system: IntegratedSystem) -> "FastAPI":
    app = create_app(system)
    body = orjson.dumps(listed_datasets(system).to_json())

    @app.get(PATH)
    async def static() -> Response:
        return Response(body, media_type="application/json")

    return app


def main() -> None:
    """Serve until SIGTERM."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    with IntegratedSystem(Path(sys.argv[1]), state_dir=Path(sys.argv[2]), environ={}) as system:
        service = ApiService(system, port=0, application=_with_floor)
        service.bind()
        service.step()
        print(service.url, flush=True)
        signal.sigwait({signal.SIGTERM})
        service.close()


if __name__ == "__main__":
    main()
