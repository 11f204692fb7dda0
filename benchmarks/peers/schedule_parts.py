"""The peers' answer to when 10,000 cron lines are due next."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger
from croniter import croniter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from loops import serve

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC")
MANY = 10_000
NOW = datetime(2026, 3, 2, 11, 59, 30, tzinfo=UTC)


def lines():
    """As `benchmarks/schedule_workload.py` has them."""
    for index in range(MANY):
        yield f"{index % 60} {index // 60 % 24} * * {index // 1440 % 7}", ZoneInfo(ZONES[index % len(ZONES)])


def due(_seconds):
    began = time.perf_counter()
    for line, zone in lines():
        croniter(line, NOW.astimezone(zone)).get_next(datetime)
    of_croniter = time.perf_counter() - began
    began = time.perf_counter()
    for line, zone in lines():
        CronTrigger.from_crontab(line, timezone=zone).get_next_fire_time(None, NOW.astimezone(zone))
    of_apscheduler = time.perf_counter() - began
    return {"next_due_10000_ms": {"croniter": of_croniter * 1e3, "apscheduler": of_apscheduler * 1e3}}


if __name__ == "__main__":
    serve({"due": due})
