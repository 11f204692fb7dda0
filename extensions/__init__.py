"""Helpers for your own tests and code around the program; the program itself does not import them."""
