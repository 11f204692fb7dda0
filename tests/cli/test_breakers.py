"""`breakers` on the command line: what is printed, and the exit codes."""

import pytest

from tests.integration.installation import Installation


@pytest.fixture
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    made = Installation(tmp_path_factory.mktemp("breakers"))
    made.configure({"name": "fx", "provider": "ecb", "collect": {"kind": "simulated", "rows": 3}})
    return made


def test_from_open_to_normal_in_words_and_as_json(installation: Installation) -> None:
    """Open, list, refused, hold, reset: each says what is so now, and the other processes act on it."""
    opened = installation.cli("breakers", "open", "ecb", "--reason", "they move house", "--json")
    listed, listed_json = installation.cli("breakers", "list"), installation.cli("breakers", "list", "--json")
    refused = installation.cli("run", "--json")
    told, looked = installation.cli("status"), installation.cli("status", "--json")
    held = installation.cli("breakers", "close", "ecb", "--hold")
    ran = installation.cli("run", "--json")
    reset = installation.cli("breakers", "reset", "--json")

    assert (opened.code, opened.json["state"], opened.json["held"], opened.json["retry_after_s"]) == (
        0,
        "open",
        True,
        None,
    )
    (line,) = [line for line in listed.out.splitlines() if line.startswith("ecb")]
    assert "open (held)" in line
    assert "they move house" in line
    assert refused.code == 1
    error = refused.json["datasets"][0]["error"]
    assert error["message"] == "ecb: circuit held open (they move house)"  # nobody knows when the next try is
    assert error["hint"] == "Somebody opened it by hand, and it stays so until somebody closes it."
    assert error["retry_after"] == 3600.0
    assert "circuit of ecb is held open: they move house" in told.out.splitlines()
    assert looked.json["breakers"]["ecb"]["state"] == listed_json.json["breakers"][0]["state"] == "open"
    assert held.out == "the circuit of ecb is closed, and stays so until `breakers reset ecb`\n"
    assert (ran.code, ran.json["status"]) == (0, "succeeded")
    assert (reset.code, reset.json) == (0, {"reset": ["ecb"]})
