"""What file systems raise, in our words."""

from data_pipeline.collect.files.store_errors import told

SECRET = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY"


def test_of_a_secret_that_a_long_message_would_cut_in_two_nothing_is_left():
    """It is masked in the whole message, and only then the message is shortened."""
    error = OSError("x" * 180 + SECRET + " is not known here")

    found = told(error, "orders: s3://bucket", scheme="s3", provider="bucket", options={"secret": SECRET}, listing=True)

    assert SECRET[:8] not in str(found)
    assert "***" in str(found)


def test_signs_that_would_move_the_cursor_are_left_out():
    """A server's words stand in one line of a terminal."""
    error = OSError("not\r\nhere \x1b[2J")

    found = told(error, "orders: ftp://host", scheme="ftp", provider="host", options={}, listing=True)

    assert str(found).endswith("(not here [2J)")
