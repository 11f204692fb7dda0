"""When datasets are due, who sees to it, and what became of every occurrence."""
