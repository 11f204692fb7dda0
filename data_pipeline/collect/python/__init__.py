"""What a function of the user's own returns."""
