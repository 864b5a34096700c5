"""How a detector marks itself when it joins its consumer group, and the fault of other members."""

from collections.abc import Sequence

DETECTOR_MARK = b"stream-detector"
"""The user data of its subscription."""
_NAMED_MAX = 3


def foreign_members_fault(group_id: str, names: Sequence[str]) -> str:
    """A sentence about the members ``names`` of the group, which are no detectors."""
    count = len(names)
    what = "member that is no detector" if count == 1 else "members that are no detectors"
    named = ", ".join(names[:_NAMED_MAX])
    more = f" and {count - _NAMED_MAX} more" if count > _NAMED_MAX else ""
    return (
        f"group {group_id} has {count:,} {what} ({named}{more}): nothing scores what they read; "
        "stop them, or give them a group of their own"
    )
