"""PUBLISH: accepted versions go out to files and databases, once and in order."""
