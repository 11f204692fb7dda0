"""What is done when the host suffocates: first what costs nothing, at last the end of the worst offender in scope."""
