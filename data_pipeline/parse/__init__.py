"""PARSE: bytes as sent to typed rows; one file a format."""
