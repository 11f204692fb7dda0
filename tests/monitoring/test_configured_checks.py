"""The checks of the configuration."""

from config.settings import Settings
from monitoring.configured_checks import configured_checks
from utils.clock import ManualClock

DAY_S = 86_400.0


def test_a_heartbeat_that_comes_once_a_day_is_missed_within_a_minute_and_found_again_within_one():
    """`every` says how often it is to come; who looked that seldom would tell of it a day late."""
    clock = ManualClock()
    beats = [clock.time()]
    check = {"name": "backup", "heartbeat": "backup_done", "every": "24h", "timeout": "2h"}
    monitor = Settings.model_validate({"monitor": {"health": [check]}}).monitor
    checks = configured_checks(monitor, newest=lambda name: beats[-1], clock=clock)
    assert checks.run_due()["backup"].healthy

    clock.advance(DAY_S + 7_201.0)
    assert not checks.run_due()["backup"].healthy
    assert checks.due_in() <= 60.0
    beats.append(clock.time())
    clock.advance(60.0)

    assert checks.run_due()["backup"].healthy
