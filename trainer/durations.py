"""Durations on the command line: ``90s``, ``30m``, ``24h``, ``7d``."""

import re
from datetime import timedelta
from typing import Any

import click

__all__ = ["DURATION"]

_FORM = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class _Duration(click.ParamType):
    """A ``timedelta`` above 0."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """``value`` as a ``timedelta``."""
        if isinstance(value, timedelta):
            return value
        found = _FORM.fullmatch(value.strip())
        if found is None or float(found[1]) <= 0:
            self.fail(
                f"{value!r} is no duration: give a number and s, m, h, d or w, such as 24h",
                *(param, ctx),
            )
        try:
            return timedelta(**{_UNITS[found[2]]: float(found[1])})
        except OverflowError:
            self.fail(f"{value!r} is too long", param, ctx)


DURATION = _Duration()
