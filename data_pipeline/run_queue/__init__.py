"""The run queue: what was asked for, in what order it is begun, and who works it off."""
