"""What a DNS query's name becomes: the one place that says which names are no targets."""

from datetime import datetime

from stream_detector.events import Ignored, UrlEvent

__all__ = ["dns_event"]

_REVERSE_ZONES = ("in-addr.arpa", "ip6.arpa")


def dns_event(
    name: str, *, client: str | None, time: datetime | None, log_id: str | None
) -> UrlEvent | Ignored:
    """An event of kind ``host``; Ignored for the root, single labels and reverse lookups."""
    plain = name.rstrip(".")
    if "." not in plain:
        return Ignored("a single label" if plain else "no name")
    if plain.lower().endswith(_REVERSE_ZONES):
        return Ignored("a reverse lookup")
    return UrlEvent("host", name, client, time, log_id)
