"""`tokens` on the command line: what is printed, and the exit codes."""

import json
from pathlib import Path

import pytest

from tests.integration.installation import Installation


def test_create_list_revoke_in_words_and_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The secret is printed once, as a line of its own or as the JSON of the contract, and never again."""
    made = Installation(tmp_path)
    made.configure({"name": "fx", "collect": {"kind": "simulated"}})

    def typed(*arguments: str) -> str:
        assert made.typed("tokens", *arguments) == 0
        return capsys.readouterr().out

    none = typed("list", "--all")
    secret, words = typed("create", "--role", "viewer", "--name", "ci", "--expires", "90d").splitlines()
    contract = json.loads(typed("create", "--role", "admin", "--json"))
    listed, listed_json = typed("list"), json.loads(typed("list", "--json"))
    revoked = typed("revoke", "ci")
    left = json.loads(typed("list", "--json"))
    everything = typed("list", "--all")

    assert none == "There is no token.\n"
    assert secret.startswith("cdo_")
    assert words.startswith("ci (")
    assert "viewer, until 20" in words
    assert list(contract) == ["id", "token", "role", "expires_at"]
    assert (contract["role"], contract["expires_at"]) == ("admin", None)
    assert secret not in listed + everything + json.dumps(listed_json)
    assert [(one["name"], one["role"], one["used_at"]) for one in listed_json["tokens"]] == [
        ("ci", "viewer", None),
        (f"admin-{contract['id']}", "admin", None),
    ]
    assert revoked.startswith("ci (")
    assert [one["id"] for one in left["tokens"]] == [contract["id"]]
    assert "revoked" in everything


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "--role", "boss"),
        ("create",),
        ("create", "--role", "viewer", "--expires", "yesterday"),
        ("create", "--role", "viewer", "--name", "a b"),
        ("revoke", "nobody"),
    ],
    ids=["unknown role", "no role", "no time", "no name", "unknown token"],
)
def test_mistakes_exit_with_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Wrong usage, told in words."""
    made = Installation(tmp_path)
    made.configure({"name": "fx", "collect": {"kind": "simulated"}})

    assert made.typed("tokens", *arguments) == 2
