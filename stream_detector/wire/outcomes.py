"""Encodes outcomes for Kafka: keys, values and headers.

Schemas: ``data/schemas/url-verdict.json`` and ``data/schemas/url-alert.json``. Times are RFC 3339
in UTC. Encoding runs in the scorer's thread; the event loop only sends the bytes.
"""

import ipaddress
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from stream_detector import __version__
from stream_detector.events import (
    Alert,
    Canonical,
    DeadLetter,
    Decision,
    Outcomes,
    Sighting,
    Verdict,
)
from stream_detector.privacy.pseudonyms import is_pseudonym
from stream_detector.wire.comparisons import comparison_key, encode_comparison

ECS_VERSION = "8.17.0"
"""Version of the Elastic Common Schema whose field names alerts use."""

REPLAY_OF = "replay-of"
"""Header of a record that ``dead-letters replay`` wrote, and of the dead letter that it may become
again: ``topic:partition:offset`` of the replayed dead letter."""

VALUE_CUT_FROM = "truncated-from-bytes"
KEY_CUT_FROM = "key-truncated-from-bytes"
"""Headers of a dead letter that is cut: the original lengths of value and key."""

Headers = list[tuple[str, bytes]]
Message = tuple[bytes | None, bytes | None, Headers]
"""Key, value and headers of one Kafka message."""

_NO_HEADERS: Headers = []

_encode_json = msgspec.json.Encoder().encode


class Encoded(NamedTuple):
    """Messages for the output topics, each list in order of input."""

    verdicts: list[Message]
    alerts: list[Message]
    dead_letters: list[Message]
    comparisons: Sequence[Message] = ()


def encode(outcomes: Outcomes) -> Encoded:
    """``outcomes`` as Kafka messages. Dead letters keep their key and value."""
    return Encoded(
        list(map(verdict_message, outcomes.verdicts)),
        [(alert_key(a), encode_alert(a), _NO_HEADERS) for a in outcomes.alerts],
        [(d.key, d.value, dead_letter_headers(d)) for d in outcomes.dead_letters],
        [(comparison_key(c), encode_comparison(c), _NO_HEADERS) for c in outcomes.comparisons],
    )


def verdict_message(verdict: Verdict) -> Message:
    """A verdict as one JSON object: the sighting's fields, then the decision's.

    The key is the registered domain: a domain's verdicts share a partition.
    """
    key, share = verdict.decision.written or _written(verdict.decision)
    try:
        sighting = _encode_json(verdict.sighting)
    except UnicodeEncodeError:
        sighting = _encode_json(_without_surrogates(verdict.sighting))
    return key, sighting[:-1] + share, _NO_HEADERS


def _written(decision: Decision) -> tuple[bytes, bytes]:
    """The key of a verdict, and the end of its JSON from the comma after the sighting's fields.

    Both are cached on the decision, since most texts repeat.
    """
    canonical = decision.canonical
    fields = {
        "observed": _utf8(decision.observed),
        "canonical": canonical.text,
        "kind": canonical.kind,
        "host": canonical.host,
        "registered_domain": canonical.registered_domain,
        "score": decision.score,
        "verdict": decision.verdict,
        "reason": decision.reason,
        "thresholds": decision.thresholds,
        "model": decision.model,
        "notes": canonical.notes,
    }
    written = canonical.registered_domain.encode(), b"," + _encode_json(fields)[1:]
    msgspec.structs.force_setattr(decision, "written", written)
    return written


def alert_key(alert: Alert) -> bytes:
    """Client and registered domain, ``|`` between them; the client is empty if unknown."""
    client = alert.verdict.sighting.client or ""
    domain = alert.verdict.decision.canonical.registered_domain
    return f"{client}|{domain}".encode(errors="replace")


def encode_alert(alert: Alert) -> bytes:
    """An alert as JSON in ECS 8 field names, what ECS has no name for under ``stream_detector``.

    ECS: https://www.elastic.co/docs/reference/ecs/ecs-field-reference
    """
    return _encode_json(_ecs(alert))


def dead_letter_headers(letter: DeadLetter) -> Headers:
    """Reason and origin of a dead letter; numbers in decimal.

    Only some letters have ``source-timestamp`` (the record's own, milliseconds since the epoch),
    ``format`` (one recognised the line), ``withheld`` (parts are masked), ``truncated-from-bytes``
    and ``key-truncated-from-bytes`` (cut), and ``replay-of`` (the record was a replay).
    """
    source = letter.source
    headers = [
        ("reason", letter.reason.value.encode()),
        ("detail", letter.detail.encode(errors="replace")),
        ("source-topic", source.topic.encode()),
        ("source-partition", b"%d" % source.partition),
        ("source-offset", b"%d" % source.offset),
        ("source-index", b"%d" % source.index),
        ("detector-version", __version__.encode()),
    ]
    if letter.record_time is not None:
        headers.append(("source-timestamp", b"%d" % letter.record_time))
    if letter.format:
        headers.append(("format", letter.format.encode()))
    if letter.replay_of:
        headers.append((REPLAY_OF, letter.replay_of))
    if letter.value_cut_from:
        headers.append((VALUE_CUT_FROM, b"%d" % letter.value_cut_from))
    if letter.key_cut_from:
        headers.append((KEY_CUT_FROM, b"%d" % letter.key_cut_from))
    if letter.withheld:
        headers.append(("withheld", ",".join(letter.withheld).encode()))
    return headers


def _ecs(alert: Alert) -> dict[str, Any]:
    sighting, decision = _without_surrogates(alert.verdict.sighting), alert.verdict.decision
    canonical = decision.canonical
    fields: dict[str, Any] = {
        "@timestamp": sighting.detected_at,
        "ecs": {"version": ECS_VERSION},
        "message": _message(decision),
        "event": {
            "kind": "alert",
            "category": ["intrusion_detection", "web" if canonical.kind == "url" else "network"],
            "type": ["info"],
            "id": sighting.id,
            "module": "stream_detector",
            "dataset": "stream_detector.alert",
            "created": sighting.detected_at,
        },
        "observer": {"product": "stream_detector", "version": __version__},
        "rule": {
            "name": f"malicious {canonical.kind} ({decision.reason})",
            "ruleset": decision.model.name,
            "version": decision.model.version,
        },
        "threat": {"indicator": _indicator(canonical)},
        "url": {"domain": canonical.host, "registered_domain": canonical.registered_domain},
        "stream_detector": {
            "canonical": canonical.text,
            "kind": canonical.kind,
            "score": decision.score,
            "verdict": decision.verdict,
            "reason": decision.reason,
            "thresholds": decision.thresholds,
            "model": decision.model,
            "folded": alert.folded,
            "window_seconds": alert.window_seconds,
            "format": sighting.format,
            "log_id": sighting.log_id,
            "notes": canonical.notes,
            "source": sighting.source,
        },
    }
    if canonical.kind == "url":
        fields["url"]["original"] = _utf8(decision.observed)
    else:
        fields["dns"] = {
            "question": {
                "name": canonical.host,
                "registered_domain": canonical.registered_domain,
            }
        }
    if sighting.event_time is not None:
        fields["event"]["start"] = sighting.event_time
    if sighting.client:
        fields["client"] = _client(sighting.client)
    return fields


def _message(decision: Decision) -> str:
    """One line for a person."""
    canonical = decision.canonical
    if decision.score is None:
        why = "on the deny list"
    else:
        why = f"score {decision.score:.3f}, threshold {decision.thresholds.malicious:.3f}"
    return f"Malicious {canonical.kind} under {canonical.registered_domain}: {why}"


def _indicator(canonical: Canonical) -> dict[str, str]:
    """ECS's ``threat.indicator``."""
    if canonical.kind == "url":
        return {"type": "url", "name": canonical.text}
    address = _ip_address(canonical.host.strip("[]"))
    if address is None:
        return {"type": "domain-name", "name": canonical.host}
    return {"type": f"ipv{address.version}-addr", "name": canonical.host, "ip": str(address)}


def _client(client: str) -> dict[str, str]:
    """ECS requires ``address``, and a copy in ``ip`` or ``domain``; a pseudonym is neither."""
    if is_pseudonym(client):
        return {"address": client}
    address = _ip_address(client)
    if address is None:
        return {"address": client, "domain": client}
    return {"address": client, "ip": str(address)}


def _ip_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address without its zone (``%eth0``), which ECS's ``ip`` fields refuse."""
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _without_surrogates(sighting: Sighting) -> Sighting:
    """``sighting`` with lone surrogates, which UTF-8 can't hold, replaced by ``?``."""
    return msgspec.structs.replace(
        sighting,
        client=None if sighting.client is None else _utf8(sighting.client),
        log_id=None if sighting.log_id is None else _utf8(sighting.log_id),
    )


def _utf8(text: str) -> str:
    return text.encode(errors="replace").decode()
