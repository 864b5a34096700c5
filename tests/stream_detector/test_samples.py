"""The sample logs: what the README beside them says of them holds."""

import importlib.util
import re
from collections import Counter

import pytest

from stream_detector.canonical import canonicalise
from stream_detector.events import Ignored, Rejected, UrlEvent
from stream_detector.settings.fields import DATA_FOLDER
from stream_detector.sources.reading import read_record

FOLDER = DATA_FOLDER / "samples"
FORMATS = {
    "zeek_http.log": {"zeek_http"},
    "zeek_dns.log": {"zeek_dns"},
    "squid_access.log": {"squid"},
    "dnsmasq.log": {"dnsmasq"},
    "suricata_eve.json": {"suricata"},
    "urls.txt": {"plain"},
}


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("generate", FOLDER / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(name):
    """(line, format, result) of each line of a sample log, as a shipper sends them."""
    for line in (FOLDER / name).read_bytes().splitlines():
        if not line.startswith(b"#"):
            ((source, result),) = read_record(line, source=None, lines_max=1)
            yield line, source, result


def test_the_generator_writes_the_same_bytes_again(generate, tmp_path):
    generate.write_all(tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (FOLDER / path.name).read_bytes(), path.name


def test_each_log_is_named_here():
    suffixes = {".log", ".json", ".txt"}
    assert {p.name for p in FOLDER.iterdir() if p.suffix in suffixes} == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_only_the_lines_broken_on_purpose_become_dead_letters(generate, name):
    broken = set()
    for line, _, result in read(name):
        canonical = canonicalise(result.kind, result.observed) if is_event(result) else result
        if isinstance(canonical, Rejected):
            broken.add(line)
    assert broken == set(generate.BROKEN.get(name, ()))


@pytest.mark.parametrize("name", FORMATS)
def test_every_line_is_recognised_as_its_format(name):
    assert {source for _, source, result in read(name) if is_event(result)} == FORMATS[name]


def test_zeeks_header_is_understood_with_the_lines_it_heads():
    value = b"".join((FOLDER / "zeek_dns.log").read_bytes().splitlines(keepends=True)[:12])
    results = [result for _, result in read_record(value, source=None, lines_max=100)]
    assert [isinstance(result, Ignored) for result in results] == [True] * 8 + [False] * 4


def test_only_answers_flows_and_reverse_look_ups_name_no_url():
    by_nature = re.compile(rb"dnsmasq.*: (reply|forwarded) |\"event_type\":\"flow\"|in-addr\.arpa")
    ignored = Counter()
    for name in FORMATS:
        for line, _, result in read(name):
            if isinstance(result, Ignored):
                assert by_nature.search(line), line
                ignored[name] += 1
    assert set(ignored) == {"zeek_dns.log", "dnsmasq.log", "suricata_eve.json"}


def test_addresses_are_private_or_for_documentation_and_benchmarks():
    allowed = re.compile(r"10\.20\.|192\.0\.2\.|198\.51\.100\.|203\.0\.113\.|198\.18\.")
    for name in FORMATS:
        for line, _, _ in read(name):
            for address in re.findall(rb"(?<![\d.\w-])\d+\.\d+\.\d+\.\d+(?![\d.])", line):
                if b".arpa" not in line:
                    assert allowed.match(address.decode()), line


def is_event(result):
    return isinstance(result, UrlEvent)
