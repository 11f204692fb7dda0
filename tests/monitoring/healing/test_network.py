"""The network configuration is applied anew only where somebody wants it, by the tool that the system has."""

import subprocess
from collections.abc import Sequence

import pytest

from monitoring.healing.healer import AutoHealer
from monitoring.healing.network import CannotReapply, reapply
from monitoring.healing.treatment import Policy, Request
from tests.monitoring.protector.hogs import sample

ASKED = Request("reapply_network")


def has(*names: str) -> object:
    return lambda name: f"/sbin/{name}" if name in names else None


def test_it_is_off_and_dry_unless_somebody_says_otherwise() -> None:
    """Nothing of it by default; switched on it is a dry run at first."""
    healer = AutoHealer(measure=sample)
    assert healer.heal("reapply_network").detail == "it is switched off"


def test_the_tool_that_knows_of_the_others_is_taken() -> None:
    """netplan before what it configures; a dry run only says which."""
    dry = Request("reapply_network", dry_run=True)
    found = reapply(dry, is_there=lambda: False, which=has("nmcli", "netplan"))  # type: ignore[arg-type] # a test's own
    assert found.detail == "would call `/sbin/netplan apply`"


@pytest.mark.parametrize("back", [True, False], ids=["comes back", "stays away"])
def test_it_has_helped_when_somebody_answers_afterwards(back: bool) -> None:
    """Not when the command went well."""
    called: list[Sequence[str]] = []

    def run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        called.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    found = reapply(ASKED, is_there=lambda: back, which=has("nmcli"), run=run, uid=0)  # type: ignore[arg-type] # likewise
    assert (found.helped, called) == (back, [("/sbin/nmcli", "general", "reload")])


def test_what_stands_against_it_is_said_in_words() -> None:
    """No tool, no rights, a tool that fails."""

    def fails(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(command, 1, "", "no such\ndevice")

    for which, uid, words in (
        (has(), 0, "no tool"),
        (has("netplan"), 1000, "rights of an administrator"),
        (has("netplan"), 0, "failed with 1: no such device"),
    ):
        with pytest.raises(CannotReapply, match=words):
            reapply(ASKED, is_there=lambda: True, which=which, run=fails, uid=uid)  # type: ignore[arg-type] # likewise


def test_a_network_that_is_away_is_treated_only_when_switched_on() -> None:
    """By default nobody even asks whether it is there."""
    asked: list[bool] = []

    def there() -> bool:
        asked.append(True)
        return False

    for policy, looks in ((None, 0), (Policy(dry_run=True), 1)):
        policies = {} if policy is None else {"reapply_network": policy}
        healer = AutoHealer(policies, network=there, measure=sample)
        healer.step(sample())
        assert len(asked) == looks
