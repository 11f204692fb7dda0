"""What a command says when it fails."""

import json

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
