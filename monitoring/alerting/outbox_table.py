"""The table of the outbox: no view of the log, but what is to be done."""

__all__ = ["SCHEMA"]

SCHEMA = """
CREATE TABLE alert_outbox (
    key TEXT PRIMARY KEY, channel TEXT NOT NULL, thread TEXT NOT NULL, place INTEGER NOT NULL, kind TEXT NOT NULL,
    severity TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, created REAL NOT NULL,
    next_try REAL NOT NULL, not_before REAL NOT NULL, told_at REAL, failing_since REAL, reported INTEGER NOT NULL,
    error TEXT NOT NULL, into_key TEXT NOT NULL, owner TEXT NOT NULL, message TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX alert_outbox_undelivered ON alert_outbox (channel, place) WHERE state IN ('waiting', 'sending');
CREATE INDEX alert_outbox_thread ON alert_outbox (thread, channel);
CREATE INDEX alert_outbox_told ON alert_outbox (told_at)
"""
