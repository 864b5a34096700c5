"""Limits on the share of one voice in a total."""

from collections.abc import Mapping

_ROUNDING = 1 + 1e-9


def limits(totals: Mapping[str, float], rest: float, share: float) -> dict[str, float]:
    """The most that each voice may keep, for voices with more than ``share`` of the sum.

    ``totals`` are by voice; ``rest`` belongs to no voice. Without a rest, fewer voices than
    ``1 / share`` cannot all stay below the share: then it is an equal part.
    """
    if totals and not rest:
        share = max(share, 1 / len(totals))
    above: set[str] = set()
    while True:
        # All voices above the limit are cut to it, which in turn lowers the limit of the others.
        others = rest + sum(total for voice, total in totals.items() if voice not in above)
        limit = share * others / (1 - share * len(above))
        more = {voice for voice, total in totals.items() if total > limit * _ROUNDING} - above
        if not more:
            return dict.fromkeys(above, limit)
        above |= more
