"""Numbers of things in messages: ``1 record``, ``2 records``."""


def counted(count: int, noun: str) -> str:
    """``count`` with ``noun``, in the plural with an s unless it is 1."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
