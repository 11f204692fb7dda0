"""What judges the rows of one chunk: a kernel for each kind of row rule, bound once to the columns' types."""
