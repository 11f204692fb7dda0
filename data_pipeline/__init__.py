"""The straight line: collect, parse, validate, score, store, detect, publish."""
