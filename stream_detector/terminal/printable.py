"""Makes untrusted texts safe to show on a terminal."""


def printable(text: str) -> str:
    """``text`` with control, bidirectional and other unprintable characters as escapes."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def printable_bytes(value: bytes, *, characters_max: int) -> str:
    """``value`` as text, with escapes for bytes that are not UTF-8 or not printable.

    A text of more than ``characters_max`` is cut and ends with ``...``.
    """
    begin = value[: 4 * characters_max]  # A character takes at most four bytes.
    shown = printable(begin.decode(errors="backslashreplace"))
    if len(shown) <= characters_max and len(begin) == len(value):
        return shown
    return shown[:characters_max] + "..."
