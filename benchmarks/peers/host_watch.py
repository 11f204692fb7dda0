"""Glances without a screen: samples with the process list, so many seconds apart, into a CSV file."""

import sys

from glances import main

if __name__ == "__main__":
    interval, file = sys.argv[1:]
    sys.argv = ["glances", "-q", "-t", interval, "--export", "csv", "--export-csv-file", file, "--disable-check-update"]
    main()
