"""Pieces of a table collected by hand: each judged alone, many stored at once, going on wherever it was broken off."""
