"""A client for programs in Python: one folder, needs `httpx` only, may be copied.

The two interfaces of the system itself, over the network: `queries` look, `operations` change something. Each gives the
JSON that the command of that name prints with `--json`; what goes wrong is an `ApiError` with `message` and `hint`.

    with Client("http://127.0.0.1:8000", token="…") as client:
        run = client.operations.run(["orders"])
        print(client.queries.wait(run["run_id"])["status"])
        frame = client.queries.table("orders").to_pandas()
"""

# Its files name each other without the package's name: a copy may lie elsewhere, and be called something else.
from .connection import Client
from .errors import ApiError
from .operations import Operations
from .queries import Queries

__all__ = ["ApiError", "Client", "Operations", "Queries"]
