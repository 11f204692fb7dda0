"""Quarantined rows on their way back: read again, mended, judged beside the batch that they belong to."""
