import json

import msgspec
import pytest

from stream_detector import __version__
from stream_detector.events import (
    Alert,
    DeadLetter,
    Outcomes,
    RejectReason,
    SourcePosition,
    Verdict,
)
from stream_detector.wire.outcomes import (
    alert_key,
    dead_letter_headers,
    encode,
    encode_alert,
    verdict_message,
)
from support.verdicts import FIELDS, verdict_with

VERDICT = verdict_with()
HOST_VERDICT = verdict_with(kind="host", observed="Evil.com.", canonical="evil.com")
LETTER = DeadLetter(
    key=b"k",
    value=b"\xff\x00",
    reason=RejectReason.NOT_UTF8,
    detail="byte 0xff at 0",
    source=SourcePosition("url-events", 0, 5, 2),
    record_time=1_700_000_000_123,
)


def alert_of(verdict: Verdict, folded: int = 4) -> Alert:
    return Alert(verdict=verdict, folded=folded, window_seconds=3600.0)


def test_a_verdict_is_one_json_object_of_its_fields() -> None:
    written = msgspec.json.decode(verdict_message(VERDICT)[1])
    assert written == json.loads(msgspec.json.encode(FIELDS))


def test_cached_parts_of_a_decision_serve_its_other_sightings() -> None:
    other = Verdict(msgspec.structs.replace(VERDICT.sighting, id="c:t:0:1:0"), VERDICT.decision)
    first, again, written = (verdict_message(v)[1] for v in (VERDICT, VERDICT, other))
    assert first == again
    assert msgspec.json.decode(written) == msgspec.json.decode(first) | {"id": "c:t:0:1:0"}


def test_times_are_rfc_3339_in_utc_and_absent_values_null() -> None:
    plain = verdict_with(client=None, log_id=None, score=None)
    written = msgspec.json.decode(verdict_message(plain)[1])
    assert written["event_time"] == "2026-11-01T10:00:00.250000Z"
    assert written["detected_at"] == "2026-11-01T10:00:01Z"
    assert written["client"] is None
    assert written["log_id"] is None
    assert written["score"] is None


def test_a_verdict_lies_with_its_registered_domain() -> None:
    assert verdict_message(verdict_with(host="a.evil.com"))[0] == b"evil.com"


def test_lone_surrogates_become_question_marks() -> None:
    broken = verdict_with(observed="http://a\udcff.com/", client="\ud800x")
    written = msgspec.json.decode(verdict_message(broken)[1])
    assert (written["observed"], written["client"]) == ("http://a?.com/", "?x")
    alert = msgspec.json.decode(encode_alert(alert_of(broken)))
    assert alert["url"]["original"] == "http://a?.com/"
    assert alert["client"]["address"] == "?x"
    assert alert_key(alert_of(broken)) == b"?x|evil.com"


def test_an_alert_speaks_ecs() -> None:
    alert = msgspec.json.decode(encode_alert(alert_of(VERDICT)))
    assert alert["@timestamp"] == "2026-11-01T10:00:01Z"
    assert alert["event"]["kind"] == "alert"
    assert alert["event"]["id"] == VERDICT.sighting.id
    assert alert["event"]["start"] == "2026-11-01T10:00:00.250000Z"
    assert alert["url"] == {
        "original": VERDICT.decision.observed,
        "domain": "evil.com",
        "registered_domain": "evil.com",
    }
    assert alert["client"] == {"address": "10.0.0.1", "ip": "10.0.0.1"}
    assert alert["threat"]["indicator"] == {"type": "url", "name": "evil.com/x"}
    assert alert["stream_detector"]["folded"] == 4
    assert alert["stream_detector"]["score"] == 0.96875
    assert alert["message"] == ("Malicious url under evil.com: score 0.969, threshold 0.900")


def test_an_alert_for_a_host_names_it_as_a_dns_question() -> None:
    alert = msgspec.json.decode(encode_alert(alert_of(HOST_VERDICT)))
    assert alert["dns"] == {"question": {"name": "evil.com", "registered_domain": "evil.com"}}
    assert "original" not in alert["url"]
    assert alert["threat"]["indicator"] == {"type": "domain-name", "name": "evil.com"}


@pytest.mark.parametrize(
    ("host", "indicator"),
    [
        ("192.0.2.7", {"type": "ipv4-addr", "name": "192.0.2.7", "ip": "192.0.2.7"}),
        ("[2001:db8::1]", {"type": "ipv6-addr", "name": "[2001:db8::1]", "ip": "2001:db8::1"}),
    ],
)
def test_an_alert_for_an_address_names_its_type(host: str, indicator: dict[str, str]) -> None:
    verdict = verdict_with(kind="host", canonical=host, host=host, registered_domain=host)
    alert = msgspec.json.decode(encode_alert(alert_of(verdict)))
    assert alert["threat"]["indicator"] == indicator


@pytest.mark.parametrize(
    ("client", "fields"),
    [
        ("2001:DB8:0::1", {"address": "2001:DB8:0::1", "ip": "2001:db8::1"}),
        ("fe80::1%eth0", {"address": "fe80::1%eth0", "ip": "fe80::1"}),
        ("laptop-7.corp", {"address": "laptop-7.corp", "domain": "laptop-7.corp"}),
        ("", None),
        (None, None),
    ],
)
def test_a_client_is_an_address_or_a_name(
    client: str | None, fields: dict[str, str] | None
) -> None:
    verdict = verdict_with(client=client)
    assert msgspec.json.decode(encode_alert(alert_of(verdict))).get("client") == fields


def test_an_alert_of_the_deny_list_has_no_score() -> None:
    verdict = verdict_with(score=None, reason="deny_list")
    alert = msgspec.json.decode(encode_alert(alert_of(verdict)))
    assert alert["stream_detector"]["score"] is None
    assert alert["rule"]["name"] == "malicious url (deny_list)"
    assert alert["message"].endswith("on the deny list")


def test_an_alert_lies_with_its_client_and_domain() -> None:
    assert alert_key(alert_of(VERDICT)) == b"10.0.0.1|evil.com"
    assert alert_key(alert_of(verdict_with(client=None))) == b"|evil.com"


def test_a_dead_letter_names_reason_and_origin() -> None:
    assert dict(dead_letter_headers(LETTER)) == {
        "reason": b"not_utf8",
        "detail": b"byte 0xff at 0",
        "source-topic": b"url-events",
        "source-partition": b"0",
        "source-offset": b"5",
        "source-index": b"2",
        "source-timestamp": b"1700000000123",
        "detector-version": __version__.encode(),
    }


def test_a_dead_letter_names_its_format_and_the_letter_that_it_replays() -> None:
    letter = msgspec.structs.replace(LETTER, format="squid", replay_of=b"url-events-dlq:3:17")
    headers = dict(dead_letter_headers(letter))
    assert headers["format"] == b"squid"
    assert headers["replay-of"] == b"url-events-dlq:3:17"


def test_a_dead_letter_of_a_record_without_time_has_no_time() -> None:
    letter = msgspec.structs.replace(LETTER, record_time=None, detail="\ud800")
    headers = dict(dead_letter_headers(letter))
    assert "source-timestamp" not in headers
    assert headers["detail"] == b"?"


def test_outcomes_become_messages_in_order() -> None:
    tombstone = msgspec.structs.replace(LETTER, key=None, value=None)
    encoded = encode(Outcomes([VERDICT, HOST_VERDICT], [alert_of(VERDICT)], [LETTER, tombstone]))
    assert encoded.verdicts == [
        (b"evil.com", verdict_message(VERDICT)[1], []),
        (b"evil.com", verdict_message(HOST_VERDICT)[1], []),
    ]
    assert encoded.alerts == [
        (b"10.0.0.1|evil.com", encode_alert(alert_of(VERDICT)), []),
    ]
    assert [(key, value) for key, value, _ in encoded.dead_letters] == [
        (b"k", b"\xff\x00"),
        (None, None),
    ]
