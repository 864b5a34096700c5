"""How a detector marks itself in what it sends when it joins its consumer group."""

__all__ = ["DETECTOR_MARK", "foreign_members"]

DETECTOR_MARK = b"stream-detector"
"""The user data of its subscription."""


def foreign_members(count: int) -> str:
    """So many members of the group that are no detectors, in words."""
    if count == 1:
        return "1 member that is no detector"
    return f"{count:,} members that are no detectors"
