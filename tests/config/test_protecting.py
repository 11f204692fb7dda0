"""What the configuration says of the protector and of healing, and what it refuses."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from config.errors import ConfigError
from config.loading import load
from config.watching import HEALING_ACTIONS, HealingSettings, ProtectorSettings
from monitoring.healing.healer import AutoHealer, UnknownAction


def test_the_protector_is_off_and_dry() -> None:
    """Who says nothing has one that touches nobody."""
    asked = ProtectorSettings()
    assert (asked.enabled, asked.dry_run, asked.mode, asked.scope.names) == (False, True, "dev", ())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param({"scope": {"names": "/usr/bin/worker"}}, "expected the name of a program", id="a path"),
        pytest.param({"protected": ["bin/worker"]}, "expected the name of a program", id="a protected path"),
        pytest.param({"scope": {"cgroup": "/"}}, "path of one cgroup", id="all processes"),
        pytest.param({"scope": {"cgroup": "/sys/fs/cgroup/"}}, "path of one cgroup", id="all processes, in full"),
        pytest.param({"scope": {"cgroup": "jobs"}}, "path of one cgroup", id="a relative group"),
    ],
)
def test_a_scope_that_means_something_else_is_refused(given: dict[str, object], words: str) -> None:
    """A scope decides who may be ended: what cannot be meant is a fault."""
    with pytest.raises(ValidationError, match=words):
        ProtectorSettings.model_validate(given)


def test_one_name_may_be_written_bare() -> None:
    """As everywhere in the configuration."""
    asked = ProtectorSettings.model_validate({"scope": {"names": "worker"}, "protected": "ledger"})
    assert (asked.scope.names, asked.protected) == (("worker",), ("ledger",))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param({"clean_temp": {}}, "did you mean `clean_temporary`", id="a typing mistake"),
        pytest.param({"clean_temporary": {"paths": ["/"]}}, "cannot be swept", id="the whole disk"),
        pytest.param({"clean_temporary": {"paths": ["tmp"]}}, "not an absolute path", id="a relative folder"),
        pytest.param({"clean_caches": {"paths": ["/var/tmp"]}}, "only `clean_temporary`", id="paths of another"),
    ],
)
def test_a_treatment_that_cannot_be_meant_is_refused(given: dict[str, object], words: str) -> None:
    """With what was meant, where it can be known."""
    with pytest.raises(ValidationError, match=words):
        HealingSettings.model_validate({"actions": given})


def test_the_network_is_touched_only_where_somebody_says_so_twice() -> None:
    """Switched on it is dry, until that is said, too. A treatment of yours has the usual defaults."""
    asked = HealingSettings.model_validate({"actions": {"flush_queue": {"cooldown": "1m"}}})
    network = asked.action("reapply_network")
    assert (network.enabled, network.dry_run) == (False, True)
    on = HealingSettings.model_validate({"actions": {"reapply_network": {"enabled": True}}}).action("reapply_network")
    assert (on.enabled, on.dry_run) == (True, True)
    real = {"actions": {"reapply_network": {"enabled": True, "dry_run": False}}}
    assert not HealingSettings.model_validate(real).action("reapply_network").dry_run
    assert (asked.action("flush_queue").cooldown, asked.action("clean_caches").cooldown) == (60.0, 600.0)


def test_paths_are_those_of_clean_temporary() -> None:
    """They come as they were written."""
    given = {"actions": {"clean_temporary": {"paths": ["/var/tmp/etl"]}}}
    assert HealingSettings.model_validate(given).action("clean_temporary").paths == (Path("/var/tmp/etl"),)


def test_the_configuration_knows_every_treatment_that_is_built_in() -> None:
    """And no other."""
    with pytest.raises(UnknownAction) as told:
        AutoHealer().heal("?")
    assert str(told.value).endswith(f"there are: {', '.join(sorted(HEALING_ACTIONS))}")


def test_a_treatment_that_is_none_is_told_at_its_key(tmp_path: Path) -> None:
    """With its line, and what was perhaps meant."""
    file = tmp_path / "my.yaml"
    file.write_text("healing:\n  actions:\n    clean_temporery: {cooldown: 1m}\n")
    with pytest.raises(ConfigError) as told:
        load(file, environ={}, cwd=tmp_path)
    (problem,) = told.value.problems
    assert (problem.line, problem.key) == (3, "healing.actions.clean_temporery")
    assert "did you mean `clean_temporary`?" in problem.message
