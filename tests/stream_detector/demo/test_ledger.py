from stream_detector.demo.ledger import Ledger, SeenVerdict, Sent, Source
from stream_detector.demo.session import expected_of

URL, ANSWER, BROKEN, TWO = 0, 1, 2, 3
LINES = [
    b"http://example.com/",
    b"Nov 20 09:00:23 dnsmasq[811]: reply a.com is 198.18.0.1",
    b"http://",
    b"a.com\nb.com",
]


def ledger_with(*sent):
    ledger = Ledger(list(map(expected_of, LINES)))
    for offset, line in enumerate(sent):
        ledger.sent(Sent(0, offset, line, time=100.0))
    return ledger


def found(ledger, offset, *, index=0, verdict="benign", seen=100.5):
    place = Source(0, offset, index)
    id_ = f"v{offset}-{index}"
    found = SeenVerdict(id_, "example.com/", "url", 0.9, verdict, "10.20.1.1", place)
    ledger.verdict(found, seen)


def test_a_record_is_open_until_its_verdict_is_seen():
    ledger = ledger_with(URL, URL)
    found(ledger, 1)
    assert (ledger.sent_count, ledger.open_count) == (2, 1)
    found(ledger, 0)
    assert ledger.open_count == 0
    assert ledger.verdicts == {"benign": 2}


def test_a_record_of_two_lines_needs_both_verdicts():
    ledger = ledger_with(TWO)
    found(ledger, 0, index=1)
    assert ledger.open_count == 1
    found(ledger, 0, index=0)
    assert ledger.open_count == 0


def test_a_broken_record_needs_its_dead_letter():
    ledger = ledger_with(BROKEN)
    assert ledger.open_count == 1
    ledger.dead_letter(0, 0, "malformed", 101.0)
    assert (ledger.open_count, ledger.dead_letters) == (0, {"malformed": 1})


def test_a_line_that_names_no_url_needs_nothing():
    ledger = ledger_with(ANSWER)
    assert (ledger.open_count, ledger.silent) == (0, 1)


def test_a_verdict_seen_before_its_record_is_known_counts():
    ledger = Ledger(list(map(expected_of, LINES)))
    found(ledger, 0, seen=100.25)
    ledger.sent(Sent(0, 0, URL, time=100.0))
    assert (ledger.open_count, ledger.latencies) == (0, [0.25])


def test_a_repeated_output_is_counted_once():
    ledger = ledger_with(URL, BROKEN)
    for _ in range(2):
        found(ledger, 0)
        ledger.dead_letter(0, 1, "malformed", 101.0)
    assert ledger.verdicts.total() == 1
    assert ledger.dead_letters == {"malformed": 1}
    assert ledger.repeated == 2


def test_only_verdicts_that_are_not_benign_are_shown():
    ledger = ledger_with(URL, URL, URL)
    for offset, verdict in enumerate(["benign", "suspicious", "malicious"]):
        found(ledger, offset, verdict=verdict)
    assert [entry.verdict for entry in ledger.highlights] == ["suspicious", "malicious"]


def test_latency_is_the_quantile_over_records():
    ledger = ledger_with(*[URL] * 100)
    assert ledger.latency(0.5) == 0.0
    for offset in range(100):
        found(ledger, offset, seen=101.0 + offset)
    assert ledger.latency(0.5) == 51.0
    assert ledger.latency(0.99) == 100.0
