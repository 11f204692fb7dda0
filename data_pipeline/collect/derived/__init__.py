"""Datasets that are made of others by a function of the user's own."""
