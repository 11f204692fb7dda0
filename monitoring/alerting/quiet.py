"""Whether all is so quiet that nothing of alerting has to be loaded: one statement, asked after each run."""

from utils.database import Database

__all__ = ["EVERYDAY", "FAR_BEHIND", "is_quiet"]

EVERYDAY = frozenset(
    {
        *("run.queued", "run.started", "run.finished"),
        *("dataset.collected", "dataset.served", "batch.accepted", "quality.scored", "promise.kept"),
        *("maintenance.finished", "log.sealed", "config.changed", "action.invoked", "alert.sent", "alert.raised"),
        *("incident.opened", "incident.changed", "incident.resolved", "incident.acknowledged", "incident.silenced"),
        *("incident.unacknowledged", "incident.escalated", "incident.flapping", "incident.inhibited"),
    }
)
"""Types of which none raises a shipped rule; those that end something matter only while something is wrong."""

FAR_BEHIND = 20_000
"""Events after which the engine is to look, if only to say that it has seen them: else all are read one bad night."""

_NEWS = """
SELECT 'something is wrong' FROM alerting WHERE kind NOT IN ('meta', 'group')
UNION SELECT 'something waits' FROM alert_outbox WHERE state IN ('waiting', 'sending')
UNION SELECT name FROM names WHERE kind = 'type'
    AND newest > COALESCE((SELECT seq FROM cursors WHERE cursors.name = 'incidents'), 0)
UNION SELECT 'far behind' FROM names WHERE kind = 'log'
    AND newest > ? + COALESCE((SELECT seq FROM cursors WHERE cursors.name = 'incidents'), 0)
UNION SELECT 'nobody was told' FROM names WHERE kind = 'type' AND name >= 'incident.' AND name < 'incident/'
    AND newest > COALESCE((SELECT seq FROM cursors WHERE cursors.name = 'alerts.outbox'), 0)
"""


def is_quiet(database: Database) -> bool:
    """True: nothing is wrong, nothing waits, and since the last look nothing has happened but everyday things.

    Only of an installation without rules of its own: those may react to anything.
    """
    return EVERYDAY.issuperset(name for (name,) in database.query(_NEWS, (FAR_BEHIND,)))
