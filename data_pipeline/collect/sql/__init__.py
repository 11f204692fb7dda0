"""The rows of a query."""
