"""What strangers wrote, fit for a message of ours: one line, of bounded length, nothing that moves the cursor."""


def one_line(text: str, longest: int = 200) -> str:
    """The words of a text, cut to `longest` signs. Mask secrets first: of one that is cut in two, half would be left.

    >>> one_line("Not found:  \\x1b[31m\\n  orders"), one_line("abcdef", 4)
    ('Not found: [31m orders', 'abc…')
    """
    words = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return words if len(words) <= longest else words[: longest - 1] + "…"
