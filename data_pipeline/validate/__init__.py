"""Rules, the engine that judges a batch by them, its report, and the split of good and bad rows."""
