"""Look at a source that nobody described yet, and write down how it is to be read."""
