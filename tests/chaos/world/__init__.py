"""A world that goes wrong by a seed, and what must hold in it after every step: `make chaos`, `make chaos SEED=7`."""
