"""STORE: accept or hold; versions, quarantine, and the read models of what happened."""
