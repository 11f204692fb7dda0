"""The pytest fixture `play`: a provider's recorded answers over real HTTP, with scripted faults.

Put `pytest_plugins = ["extensions.pytest_cassette"]` into your `conftest.py`; docs/testing.md has a whole example.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from data_pipeline.collect.cassette import Cassette
from extensions.cassette_server import CassetteServer, Fault

Play = Callable[..., CassetteServer]


@pytest.fixture
def play() -> Iterator[Play]:
    """`play("orders.json", faults=[Fault(at=1, status=503)])` gives a running server; it ends with the test."""
    with ExitStack() as running:

        def start(cassette: Cassette | Path | str, *, faults: Sequence[Fault] = ()) -> CassetteServer:
            return running.enter_context(CassetteServer(cassette, faults=faults))

        yield start
