"""Durations: on the command line as ``90s``, ``30m``, ``24h``, ``7d``, and in words."""

import re
from datetime import timedelta
from typing import Any

import click

from stream_detector.terminal.counted import counted

_FORM = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST = timedelta(days=3650)
"""Every clock can go back this far."""
_WORDS = (
    (timedelta(days=1), "day", 2),
    (timedelta(hours=1), "hour", 1),
    (timedelta(minutes=1), "minute", 1),
)
"""Units with their least number: people write one day as 24 hours."""


class _Duration(click.ParamType):
    """A ``timedelta`` above 0, of ten years at most."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """``value`` as a ``timedelta``."""
        if isinstance(value, timedelta):
            return value
        found = _FORM.fullmatch(value.strip())
        if found is None or float(found[1]) <= 0:
            fault = "is not a duration: give a number and s, m, h, d or w, such as 24h"
            self.fail(f"{value!r} {fault}", param, ctx)
        # timedelta itself overflows far above the limit.
        seconds = float(found[1]) * _UNIT_SECONDS[found[2]]
        if seconds > _LONGEST.total_seconds():
            self.fail(f"{value!r} is too long: ten years at most", param, ctx)
        return timedelta(seconds=seconds)


DURATION = _Duration()


def written(duration: timedelta) -> str:
    """The duration in words, such as ``90 minutes``, ``24 hours`` or ``7 days``."""
    for unit, name, least in _WORDS:
        count = duration / unit
        if count >= least and count.is_integer():
            return counted(int(count), name)
    return f"{duration.total_seconds():,.10g} seconds"
