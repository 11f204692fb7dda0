"""What a person or program can do: one function an operation or query, the same for every face."""
