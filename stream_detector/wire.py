"""How outcomes look in Kafka: keys, values and headers.

Schemas: ``data/schemas/url-verdict.json`` and ``data/schemas/url-alert.json``. Times are
RFC 3339 in UTC. Encoding runs in the scorer's thread; the event loop only ships the bytes.
"""

import ipaddress
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from stream_detector import __version__
from stream_detector.events import Alert, DeadLetter, Outcomes, Verdict

__all__ = [
    "ECS_VERSION",
    "Encoded",
    "Message",
    "alert_key",
    "dead_letter_headers",
    "encode",
    "encode_alert",
    "encode_verdict",
    "verdict_key",
]

ECS_VERSION = "8.17.0"
"""Version of the Elastic Common Schema whose field names alerts use."""

Headers = Sequence[tuple[str, bytes]]
Message = tuple[bytes | None, bytes | None, Headers]
"""Key, value and headers of one Kafka message."""

_encode_json = msgspec.json.Encoder().encode


class Encoded(NamedTuple):
    """Messages for the three output topics, each list in order of input."""

    verdicts: list[Message]
    alerts: list[Message]
    dead_letters: list[Message]


def encode(outcomes: Outcomes) -> Encoded:
    """All of ``outcomes`` as Kafka messages. Dead letters keep their key and value as read."""
    return Encoded(
        _verdict_messages(outcomes.verdicts),
        [(alert_key(a), encode_alert(a), ()) for a in outcomes.alerts],
        [(d.key, d.value, dead_letter_headers(d)) for d in outcomes.dead_letters],
    )


def _verdict_messages(verdicts: Sequence[Verdict]) -> list[Message]:
    try:
        # Without a Python call for each: verdicts are as many as records.
        return [(v.registered_domain.encode(), _encode_json(v), ()) for v in verdicts]
    except UnicodeEncodeError:
        return [(verdict_key(v), encode_verdict(v), ()) for v in verdicts]


def verdict_key(verdict: Verdict) -> bytes:
    """The registered domain: a domain's verdicts share a partition."""
    return verdict.registered_domain.encode()


def encode_verdict(verdict: Verdict) -> bytes:
    """A verdict as JSON."""
    try:
        return _encode_json(verdict)
    except UnicodeEncodeError:
        return _encode_json(_without_surrogates(verdict))


def alert_key(alert: Alert) -> bytes:
    """Client and registered domain, ``|`` between them; the client is empty if unknown."""
    verdict = alert.verdict
    return f"{verdict.client or ''}|{verdict.registered_domain}".encode(errors="replace")


def encode_alert(alert: Alert) -> bytes:
    """An alert as JSON in ECS 8 field names, what ECS has no name for under ``stream_detector``.

    ECS: https://www.elastic.co/docs/reference/ecs/ecs-field-reference
    """
    try:
        return _encode_json(_ecs(alert.verdict, alert))
    except UnicodeEncodeError:
        return _encode_json(_ecs(_without_surrogates(alert.verdict), alert))


def dead_letter_headers(letter: DeadLetter) -> list[tuple[str, bytes]]:
    """Why a record is a dead letter, and where it came from; numbers in decimal.

    ``source-timestamp`` is the record's own, in milliseconds since the epoch, and is left out
    where the record had none.
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
    return headers


def _ecs(verdict: Verdict, alert: Alert) -> dict[str, Any]:
    """The alert as nested ECS objects. ``verdict`` is the alert's, fit for UTF-8."""
    fields: dict[str, Any] = {
        "@timestamp": verdict.detected_at,
        "ecs": {"version": ECS_VERSION},
        "message": _message(verdict),
        "event": {
            "kind": "alert",
            "category": ["intrusion_detection", "web" if verdict.kind == "url" else "network"],
            "type": ["info"],
            "id": verdict.id,
            "module": "stream_detector",
            "dataset": "stream_detector.alert",
            "created": verdict.detected_at,
        },
        "observer": {"product": "stream_detector", "version": __version__},
        "rule": {
            "name": f"malicious {verdict.kind} ({verdict.reason})",
            "ruleset": verdict.model.name,
            "version": verdict.model.version,
        },
        "threat": {"indicator": _indicator(verdict)},
        "url": {"domain": verdict.host, "registered_domain": verdict.registered_domain},
        "stream_detector": {
            "canonical": verdict.canonical,
            "kind": verdict.kind,
            "score": verdict.score,
            "verdict": verdict.verdict,
            "reason": verdict.reason,
            "thresholds": verdict.thresholds,
            "model": verdict.model,
            "folded": alert.folded,
            "window_seconds": alert.window_seconds,
            "format": verdict.format,
            "log_id": verdict.log_id,
            "notes": verdict.notes,
            "source": verdict.source,
        },
    }
    if verdict.kind == "url":
        fields["url"]["original"] = verdict.observed
    else:
        fields["dns"] = {
            "question": {
                "name": verdict.host,
                "registered_domain": verdict.registered_domain,
            }
        }
    if verdict.event_time is not None:
        fields["event"]["start"] = verdict.event_time
    if verdict.client:
        fields["client"] = _client(verdict.client)
    return fields


def _message(verdict: Verdict) -> str:
    """One line for a person."""
    if verdict.score is None:
        why = "on the deny list"
    else:
        why = f"score {verdict.score:.3f}, threshold {verdict.thresholds.malicious:.3f}"
    return f"Malicious {verdict.kind} under {verdict.registered_domain}: {why}"


def _indicator(verdict: Verdict) -> dict[str, str]:
    """What was recognised, as ECS's ``threat.indicator``."""
    if verdict.kind == "url":
        return {"type": "url", "name": verdict.canonical}
    address = _ip_address(verdict.host.strip("[]"))
    if address is None:
        return {"type": "domain-name", "name": verdict.host}
    return {"type": f"ipv{address.version}-addr", "name": verdict.host, "ip": str(address)}


def _client(client: str) -> dict[str, str]:
    """ECS wants ``address`` always, and a copy in ``ip`` or ``domain``, whichever it is."""
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


def _without_surrogates(verdict: Verdict) -> Verdict:
    """``verdict`` with lone surrogates, which UTF-8 can't hold, replaced by ``?``."""
    return msgspec.structs.replace(
        verdict,
        observed=_utf8(verdict.observed),
        client=None if verdict.client is None else _utf8(verdict.client),
        log_id=None if verdict.log_id is None else _utf8(verdict.log_id),
    )


def _utf8(text: str) -> str:
    return text.encode(errors="replace").decode()
