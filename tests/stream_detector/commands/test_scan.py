"""``scan``, ``inspect`` and ``formats``: log files read and scored without Kafka."""

import copy
import gzip
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from stream_detector.scanning import Example, Found
from stream_detector.settings.fields import DATA_FOLDER
from stream_detector.sources.registry import SOURCES
from support.commands import assert_one_line_error, run_command

BAD = "http://198.51.100.23:8080/bins/mirai.arm7"
SQUID = "{time}.123     57 {client} TCP_MISS/200 779 GET {url} - HIER_DIRECT/192.0.2.9 text/html\n"


def squid_log(path: Path, *, lines: int, bad_every: int) -> Path:
    """An access log in which every ``bad_every``-th request is for ``BAD``."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(lines):
            url = BAD if number % bad_every == 0 else f"https://en.wikipedia.org/wiki/{number}"
            client = f"10.0.{number % 7}.{number % 5}"
            file.write(SQUID.format(time=1_700_000_000 + number, client=client, url=url))
    return path


def scanned(*arguments: str | bytes, stdin: bytes = b"") -> tuple[list[dict[str, Any]], str]:
    """The domains that ``scan --json`` found, and what it wrote to stderr."""
    done = run_command("scan", "--json", *arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


def test_the_worst_domain_comes_with_clients_times_and_an_example(tmp_path: Path) -> None:
    log = squid_log(tmp_path / "access.log", lines=300, bad_every=100)
    (worst, *_), counts = scanned(str(log))
    assert worst["domain"] == "198.51.100.23"
    assert worst["verdict"] == "malicious"
    assert worst["events"] == 3
    assert [example["text"] for example in worst["examples"]] == [BAD]
    assert worst["clients"] == ["10.0.0.0", "10.0.2.0", "10.0.4.0"]
    assert (worst["first"], worst["last"]) == (
        "2023-11-14T22:13:20.123000Z",
        "2023-11-14T22:16:40.123000Z",
    )
    assert "300 lines: 300 URLs and host names (300 squid), 3 malicious" in counts


def test_a_redirectors_target_is_the_domain_that_is_found(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    url = f"https://www.google.com/url?q={quote(BAD, safe='')}"
    log.write_text(SQUID.format(time=1_700_000_000, client="10.0.0.1", url=url))
    (found,), _ = scanned(str(log))
    assert found["domain"] == "198.51.100.23"
    assert [example["text"] for example in found["examples"]] == [url]


def test_several_processes_find_what_one_finds(tmp_path: Path) -> None:
    log = squid_log(tmp_path / "access.log", lines=30_000, bad_every=500)
    packed = tmp_path / "old.log.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    alone, counts = scanned("--processes", "1", str(log), str(packed))
    together, counts_together = scanned("--processes", "2", str(log), str(packed))
    assert alone[0]["events"] == 120
    assert {row["domain"]: row for row in together} == {row["domain"]: row for row in alone}
    assert counts_together == counts


def test_a_header_counts_for_all_blocks_of_its_file(tmp_path: Path) -> None:
    lines = ["#path\tssl\n", "#fields\tserver_name\tts\tuid\n"]
    lines += [f"www.wikipedia.org\t1700000000.5\tC{number}\n" for number in range(20_000)]
    log = tmp_path / "ssl.log"
    log.write_text("".join(lines), encoding="utf-8")
    for processes in ("1", "2"):
        _, counts = scanned("--processes", processes, str(log))
        assert "20,002 lines: 20,000 URLs and host names (20,000 zeek_ssl)" in counts


def test_stdin_is_scanned_and_people_get_a_table() -> None:
    line = SQUID.format(time=1_700_000_000, client="10.0.0.1", url=BAD).encode()
    done = run_command("scan", "-", stdin=json.dumps({"message": line.decode()}).encode() + b"\n")
    assert done.returncode == 0, done.stderr.decode()
    head, row = done.stdout.decode().splitlines()
    assert head.split() == [
        "score",
        "verdict",
        "events",
        "clients",
        "first",
        "last",
        "domain",
        "example",
    ]
    assert row.split()[1:5] == ["malicious", "1", "10.0.0.1", "2023-11-14"]
    assert row.endswith(BAD)


def test_files_without_a_line_are_an_error() -> None:
    done = run_command("scan", "-")
    assert (done.returncode, done.stderr) == (1, b"stream-detector: the files have no lines\n")


def test_what_cannot_be_read_is_not_called_harmless(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(bytes(range(256)) * 20)
    done = run_command("scan", str(tmp_path / "log"))
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"nothing could be read: stream-detector inspect" in done.stderr


def test_nothing_suspicious_is_said_so() -> None:
    done = run_command("scan", "-", stdin=b"https://www.wikipedia.org/\n")
    assert done.stdout == b"nothing is suspicious\n"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["scan", "-", "--format", "squit"], 2, "no log format 'squit'"),
        (["scan"], 2, "Missing argument"),
        (["inspect", "-", "--format", "squit"], 2, "no log format 'squit'"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], code: int, words: str) -> None:
    done = run_command(*arguments)
    assert_one_line_error(done, code, words)


def test_inspect_says_what_each_line_holds_and_why_not(tmp_path: Path) -> None:
    log = tmp_path / "mixed.log"
    log.write_text(
        SQUID.format(time=1_700_000_000, client="10.0.0.1", url=BAD)
        + '{"message":"<134>Jan  2 03:04:05 gw dnsmasq[1]: query[A] a.example from 10.0.0.2"}\n'
        + "no log\n"
        + "Jan  2 03:04:05 gw dnsmasq[1]: reply a.example is 192.0.2.1\n",
        encoding="utf-8",
    )
    done = run_command("inspect", str(log))
    first, second, third, fourth = done.stdout.decode().splitlines()
    assert first.split() == [
        *("1", "squid", "url", BAD, "(client", "10.0.0.1,", "2023-11-14T22:13:20Z)"),
    ]
    assert second.endswith("a.example  (client 10.0.0.2, no time, inside message)")
    assert "rejected     unknown_format: no log format recognises the line: 'no log'" in third
    assert "passed over  not a query" in fourth
    assert done.stderr.decode().startswith("4 lines: ")

    done = run_command("inspect", "--json", "--lines", "2", str(log))
    url, host = map(json.loads, done.stdout.splitlines())
    assert (url["line"], url["format"], url["result"], url["observed"]) == (1, "squid", "url", BAD)
    assert (host["line"], host["unwrapped"]) == (2, ["message"])


@pytest.mark.parametrize(
    "name", ["squid_access.log", "dnsmasq.log", "suricata_eve.json", "zeek_dns.log", "urls.txt"]
)
def test_inspect_reads_the_samples(name: str) -> None:
    done = run_command("inspect", "--lines", "120", str(DATA_FOLDER / "samples" / name))
    assert done.returncode == 0
    assert done.stdout.count(b" rejected ") <= 1  # One broken line stands among the first.
    assert len(done.stdout.splitlines()) >= 120


def test_formats_lists_every_format() -> None:
    done = run_command("formats")
    names = [line.split()[0] for line in done.stdout.decode().splitlines()[1:] if line]
    assert names[: len(SOURCES)] == list(SOURCES)
    assert "route53" in done.stdout.decode()


def test_a_malicious_host_counts_beside_a_url_with_a_higher_score() -> None:
    found = Found("a.example", 0.98, "malicious", 1, examples=[Example("host.a.example", 0.98)])
    url = Found("a.example", 0.99, "suspicious", 1, examples=[Example("http://a.example/x", 0.99)])
    for first, second in ((found, url), (url, found)):
        both = copy.deepcopy(first)
        both.add(second)
        assert (both.score, both.verdict, both.events) == (0.99, "malicious", 2)
        assert [example.score for example in both.examples] == [0.99, 0.98]
