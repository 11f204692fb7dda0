"""A day of an installation in a few minutes: `make soak`. Nothing may grow, and nothing become slower."""
