"""Which release this is, for the command line and the API."""

from utils.release import release

__all__ = ["release"]
