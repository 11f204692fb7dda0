"""Every button of the pages that changes something, where it is, and the event that tells what it did."""

from collections.abc import Callable
from dataclasses import dataclass

from integrated_system import IntegratedSystem
from tests.browser.installation import broken_off, crashed, no_backfill, set_aside, waiting, watched

__all__ = ["CLICKS", "Click"]


@dataclass(frozen=True)
class Click:
    """A button, and what it leads to.

    Attributes:
        page: Where it is; `{made}`: what `prepare` gave.
        key: How its key begins.
        effect: The type of the one event that tells what it did; "": it leaves none, but one message says that it is a
            test.
        opens: How the key of the popover begins that it is in.
        picks: How the key of the list begins whose first entry is chosen before.
        asks: A question comes before.
        without: Choices in the question that are taken away first.
        prepare: Makes what it is about.
    """

    page: str
    key: str
    effect: str
    opens: str = ""
    picks: str = ""
    asks: bool = False
    without: tuple[str, ...] = ()
    prepare: Callable[[IntegratedSystem], str] | None = None


DAILY = (
    "maintenance",
    "reject",
    "take an incident",
    "give rows up",
    "it is fine",
    "open a circuit",
    "watch more closely",
    "prove the log",
)
"""One of each page, which needs no other before it; all of them are clicked in the full counts."""

ORDERS = "dataset?dataset=orders"
CLICKS = {
    "maintenance": Click("", "maintenance", "maintenance.finished"),
    "maintenance in settings": Click("settings", "maintain", "maintenance.finished", asks=True),
    "pause one": Click("settings", "pause-", "schedule.paused", asks=True),
    "pause all": Click("settings", "pause-all", "schedule.paused", asks=True),
    "resume one": Click("settings", "resume-", "schedule.resumed"),
    "resume all": Click("settings", "resume-all", "schedule.resumed"),
    "try rows again": Click(
        "quality?dataset=orders&batch={made}", "replay-do-", "quarantine.replayed", opens="replay-", prepare=set_aside
    ),
    "accept": Click("dataset?dataset=texts", "accept-held", "batch.accepted", asks=True),
    "reject": Click(ORDERS, "reject-held", "batch.rejected", asks=True),
    "roll back": Click(f"{ORDERS}&part=versions", "rollback-", "version.rolled_back", asks=True),
    "call a run off": Click("runs?run={made}", "cancel-run", "run.cancelled", asks=True, prepare=waiting),
    "call off what waits": Click("runs", "cancel-waiting-", "run.cancelled", asks=True, prepare=waiting),
    "call a backfill off": Click("runs", "cancel-backfill-", "backfill.cancelled", asks=True),
    "take an incident": Click("incidents", "take-do-", "incident.acknowledged", opens="take-"),
    "keep it quiet": Click("incidents?show=taken", "quiet-", "silence.added", opens="quiet-"),
    "declare it over": Click("incidents", "over-", "incident.resolved", asks=True),
    "end a silence": Click("incidents", "silence-end-", "silence.ended", asks=True),
    "send it again": Click("incidents?box=dead&live=false", "outbox-resend-one", "alert.resent", picks="letter-outbox"),
    "test a channel": Click("incidents", "channel-test-", ""),
    "give rows up": Click("quality?dataset=texts", "drop-", "quarantine.dropped", asks=True),
    "it is fine": Click("anomalies", "fine-now-", "feedback.given"),
    "take it back": Click("anomalies", "take-back-", "feedback.taken_back"),
    "normal from here": Click("anomalies", "normal_since-now-", "feedback.given"),
    "reset a circuit": Click("resilience", "reset-", "breaker.closed"),
    "open a circuit": Click("resilience", "open-", "breaker.opened", asks=True),
    "close a circuit": Click("resilience", "close-", "breaker.closed", asks=True),
    "hold a circuit": Click("resilience", "hold-", "breaker.closed", asks=True),
    "reset all circuits": Click("resilience", "reset-all", "breaker.closed", asks=True),
    "empty the cache": Click("resilience", "clear-cache", "action.invoked", asks=True),
    "watch more closely": Click("host", "watch-level", "host.level_asked", prepare=watched),
    "protect in a mode": Click("host", "protect-mode", "protector.mode_asked", asks=True),
    "prove the log": Click("events", "prove", "action.invoked"),
    "try parked events": Click("events", "retry-", "action.invoked"),
    # These begin processes of their own, so they come last.
    "go on with a run": Click("runs?run={made}", "resume-run", "run.queued", prepare=crashed),
    "run again": Click("runs?run={made}", "repeat-run", "run.queued", prepare=crashed),
    "go on with a backfill": Click("runs", "resume-backfill-", "action.invoked", prepare=broken_off),
    "backfill": Click(
        "dataset?dataset=pieces",
        "backfill-",
        "backfill.started",
        asks=True,
        without=("missing", "failed"),
        prepare=no_backfill,
    ),
    "run one": Click("dataset?dataset=empty", "run-", "run.queued"),
    "run one fresh": Click("dataset?dataset=empty", "fresh-", "run.queued"),
    "replay from raw": Click(ORDERS, "replay-", "run.queued", asks=True),
    "run all": Click("", "run_now", "run.queued"),
}
