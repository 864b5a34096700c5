"""Texts that others wrote, as a terminal may show them."""

__all__ = ["printable", "printable_bytes"]


def printable(text: str) -> str:
    """``text`` with control, bidirectional and other unprintable characters as escapes."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def printable_bytes(value: bytes, *, characters_max: int) -> str:
    """The begin of ``value`` as text; what is not UTF-8 or not printable becomes escapes.

    ``...`` ends what was cut at ``characters_max``.
    """
    begin = value[: 4 * characters_max]  # UTF-8 takes four bytes for a character at most.
    shown = printable(begin.decode(errors="backslashreplace"))
    if len(shown) <= characters_max and len(begin) == len(value):
        return shown
    return shown[:characters_max] + "..."
