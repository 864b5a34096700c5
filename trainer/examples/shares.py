"""How much a voice may have of what many have a part in."""

from collections.abc import Mapping

__all__ = ["limits"]

_ROUNDING = 1 + 1e-9


def limits(totals: Mapping[str, float], rest: float, share: float) -> dict[str, float]:
    """What each voice keeps of its total, for those that have more than ``share`` of the sum.

    ``totals`` are what each voice has, ``rest`` is what belongs to none. Without a rest, fewer
    voices than ``1 / share`` cannot all stay below it: the share is then an equal part.
    """
    if totals and not rest:
        share = max(share, 1 / len(totals))
    above: set[str] = set()
    while True:
        # Those above the limit all have it, and count so for the others.
        others = rest + sum(total for voice, total in totals.items() if voice not in above)
        limit = share * others / (1 - share * len(above))
        more = {voice for voice, total in totals.items() if total > limit * _ROUNDING} - above
        if not more:
            return dict.fromkeys(above, limit)
        above |= more
