"""What the workers of a storm wrote that no worker should write, whatever is done to it."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from storm.accounting import Count

__all__ = ["LogReading", "read_logs"]

_TRACE = "Traceback (most recent call last)"
_DIGITS = re.compile(r"\d+")
_MESSAGE_CHARACTERS = 200


class LogReading:
    """What stands in the logs."""

    def __init__(self) -> None:
        self.tracebacks = Count()
        self.critical = Count()
        self.warnings: Counter[str] = Counter()
        """Messages at ``warning`` and ``error``, ``N`` for numbers: no fault by themselves."""

    def take(self, log: str, line: str) -> None:
        """Note what ``line`` of ``log`` says."""
        if _TRACE in line:
            self.tracebacks.add(f"{log}: {line[:_MESSAGE_CHARACTERS]}")
        try:
            fields = json.loads(line)
            level, message = fields["level"], fields["message"]
        except (ValueError, TypeError, KeyError):
            return  # What a library prints, or what a SIGKILL has cut.
        if level == "critical":
            self.critical.add(f"{log}: {message[:_MESSAGE_CHARACTERS]}")
        elif level in {"warning", "error"}:
            text = _DIGITS.sub("N", message)
            self.warnings[f"{level}: {text[:_MESSAGE_CHARACTERS]}"] += 1


def read_logs(logs: Iterable[Path]) -> LogReading:
    """Read all ``logs``."""
    reading = LogReading()
    for log in logs:
        with log.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                reading.take(log.name, line)
    return reading
