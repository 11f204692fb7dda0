"""The command line: a face that calls operations and queries, nothing else."""
