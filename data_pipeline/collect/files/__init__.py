"""Files of this machine, in buckets and on servers."""
