"""What a command says when it fails."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cli.command import tell
from data_pipeline.errors import ProviderRefused, RequestRefused
from tests.integration.contract import check_error


def test_programs_are_told_who_refused_and_when_to_try_again(capsys: pytest.CaptureFixture[str]) -> None:
    """As a run tells it; an error that knows neither says neither."""
    tell(RequestRefused("ecb: circuit open", refused_by="circuit", retry_after=41.0, hint="wait"), json=True)
    refused = json.loads(capsys.readouterr().out)["error"]
    tell(ProviderRefused("ecb: 404", hint="check `url`"), json=True)
    gone = json.loads(capsys.readouterr().out)["error"]

    check_error(refused)
    check_error(gone)
    assert (refused["refused_by"], refused["retry_after"], refused["transient"]) == ("circuit", 41.0, True)
    assert set(gone) == {"type", "message", "hint", "transient"}


def _parameters(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for one in command.params:
        yield f"{path} {one.opts[-1]}", one
    for name, below in getattr(command, "commands", {}).items():
        yield from _parameters(below, f"{path} {name}".strip())


def test_every_number_has_a_least_and_a_most() -> None:
    """What no database and no clock can take is refused with its option's name, and is no internal error."""
    import typer.main

    from cli.main import app

    numbers = {
        where: (one.min, one.max)
        for where, one in _parameters(typer.main.get_command(app))
        if getattr(getattr(one, "type_descriptor", None), "annotation", None) in {int, float}
    }

    assert len(numbers) > 10
    open_ended = [where for where, bounds in numbers.items() if None in bounds]
    assert open_ended == ["detect --reaches"], "any number may be a figure of a metric"
