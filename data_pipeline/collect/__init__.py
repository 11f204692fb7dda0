"""COLLECT: bytes (or rows) from a provider, through the resilience chain."""
