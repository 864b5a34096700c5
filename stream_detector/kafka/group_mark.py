"""How a detector marks itself in what it sends when it joins its consumer group."""

__all__ = ["DETECTOR_MARK"]

DETECTOR_MARK = b"stream-detector"
"""The user data of its subscription."""
