"""Watches this host and what runs on it, mends what it safely can, and tells people."""
