"""Exit codes of what ends well and otherwise than hoped: scripts, and the watch, go by them."""

__all__ = ["FAILED", "OUTCOMES", "REFUSED", "UNCHANGED"]

REFUSED = 3
"""The gate refused the challenger."""
UNCHANGED = 4
"""There is nothing new to learn."""

OUTCOMES = {0: "passed", REFUSED: "refused", UNCHANGED: "unchanged"}
"""Of a retraining, by its exit code; any other: failed."""
FAILED = "failed"
