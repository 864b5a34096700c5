"""Numbers of things in messages: ``1 record``, ``2 records``."""

__all__ = ["counted"]


def counted(count: int, noun: str) -> str:
    """``count`` with ``noun`` in its number: for nouns whose plural takes an s."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
