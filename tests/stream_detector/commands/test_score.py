"""``score``: one JSON line per line of any input, a table for people, lists, kinds."""

import gzip
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import cramjam
import pytest

from stream_detector.settings.fields import DATA_FOLDER
from stream_detector.system.lines import BLOCK_LINES
from support.commands import assert_one_line_error, command_line, environment_of, run_command

FIELDS = ["input", "canonical", "kind", "score", "rejected", "verdict", "model", "reason"]

# A line, the kind it is read as, then its canonical form, or why it has none.
LINES: list[tuple[bytes, str | None, str | None, str | None]] = [
    (b"http://www.Example.com/a?b=c", "url", "example.com/a?b=c", None),
    (b"", None, None, "empty"),
    (b"login.example", "host", "login.example", None),
    (b"\xff\xfe.example/", None, None, "not_utf8"),
    (b" \t ", None, None, "empty"),
    (b"a\0b.example", None, None, "not_utf8"),
    (b"http://", "url", None, "invalid_url"),
    (b"no host", "host", None, "invalid_host"),
    (b"a\x0bb\x0cc\x1c\x1d\x1e.example", "host", None, "invalid_host"),
    ("a.example/\u2028\u2029\x85".encode(), "url", "a.example/%E2%80%A8%E2%80%A9%C2%85", None),
    (b"\xef\xbb\xbfhttp://mark.example/", "url", "mark.example", None),
    (b'a.example/"quoted"\x1b[31m', "url", "a.example/%22quoted%22%1B[31m", None),
    ("https://пример.example/ü".encode(), "url", "xn--e1afmkfd.example/%C3%BC", None),
    (b"http://long.example/" + b"x" * 100_000, "url", None, "too_long"),
    (b'{"url": "http://a.example/"}', "url", None, "invalid_url"),
    (b"a\rb", "host", None, "invalid_host"),
    (b"192.0.2.1", "host", "192.0.2.1", None),
]


def rows_of(output: bytes) -> list[dict[str, Any]]:
    """The objects of JSON lines, by the reader that knows most ways to end a line."""
    assert output.endswith(b"\n")
    return [json.loads(line) for line in output.decode().splitlines()]


def scored(*arguments: str | bytes, stdin: bytes = b"") -> list[dict[str, Any]]:
    """What ``score --json`` makes of its input."""
    done = run_command("score", "--json", *arguments, stdin=stdin)
    assert (done.returncode, done.stderr) == (0, b"")
    return rows_of(done.stdout)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """What became of ``LINES``: some end with CR LF, the last has no end."""
    ends = [b"\r\n" if number % 2 else b"\n" for number in range(len(LINES))]
    ends[-1] = b""
    pairs = zip(LINES, ends, strict=True)
    return scored("-", stdin=b"".join(line[0] + end for line, end in pairs))


@pytest.mark.slow
def test_each_line_becomes_one_json_line_in_order(rows: list[dict[str, Any]]) -> None:
    assert [(row["kind"], row["canonical"], row["rejected"]) for row in rows] == [
        line[1:] for line in LINES
    ]
    assert [row["input"] for row in rows] == [
        line.decode(errors="replace").removeprefix("\ufeff") for line, *_ in LINES
    ]
    assert all(list(row) == FIELDS for row in rows)


@pytest.mark.slow
def test_there_is_a_score_or_the_reason_why_not(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if row["rejected"]:
            assert (row["score"], row["verdict"], row["model"]) == (None, None, None)
            assert row["reason"] is None
        else:
            assert row["reason"] == "model"
            assert 0 <= row["score"] <= 1
            assert row["verdict"] in {"benign", "suspicious", "malicious"}
    models = {row["kind"]: row["model"] for row in rows if row["model"]}
    for kind in ("url", "host"):
        manifest = json.loads((DATA_FOLDER / "models" / kind / "manifest.json").read_text())
        assert models[kind]["name"] == manifest["name"]
        assert models[kind]["version"] == manifest["version"]


@pytest.mark.slow
def test_more_lines_than_a_block_come_out_whole_and_in_order(tmp_path: Path) -> None:
    # Each line is one of its kind, though there are few texts to score: user names go.
    kinds = [b"%d\xff", b"http://u%d@a.example/", b"u%d@b.example", b"no host %d"]
    lines = [kinds[number % 4] % number for number in range(2 * BLOCK_LINES + 100)]
    lines[::7] = [b""] * len(lines[::7])
    path = tmp_path / "lines"
    path.write_bytes(b"\n".join(lines) + b"\n")

    from_file = run_command("score", "--json", "--file", str(path))
    from_stdin = run_command("score", "--json", "--file", "-", stdin=path.read_bytes())

    expected = [line.decode(errors="replace") for line in lines]
    for done in (from_file, from_stdin):
        assert done.returncode == 0
        assert done.stderr == b""
        assert [row["input"] for row in rows_of(done.stdout)] == expected


@pytest.mark.slow
def test_input_is_read_as_the_kind_that_is_asked_for() -> None:
    arguments = ("login.example", "http://login.example/a", "login.example:8080")

    as_urls = scored("--kind", "url", *arguments)
    as_hosts = scored("--kind", "host", *arguments)

    assert [row["kind"] for row in as_urls] == ["url"] * 3
    assert [row["canonical"] for row in as_urls] == [
        "login.example",
        "login.example/a",
        "login.example:8080",
    ]
    assert [row["kind"] for row in as_hosts] == ["host"] * 3
    assert [row["canonical"] for row in as_hosts] == ["login.example", None, "login.example"]
    assert as_hosts[1]["rejected"] == "invalid_host"
    assert as_urls[0]["model"]["name"] != as_hosts[0]["model"]["name"]


@pytest.mark.slow
def test_lists_and_thresholds_decide_on_the_verdict(tmp_path: Path) -> None:
    (tmp_path / "allow").write_text("good.example\n")
    (tmp_path / "deny").write_text("bad.example\n")

    good, bad, other = scored(
        *("--allow-list", str(tmp_path / "allow"), "--deny-list", str(tmp_path / "deny")),
        *("--url-suspicious-threshold", "0", "--url-malicious-threshold", "0"),
        *("http://a.good.example/", "http://bad.example/x", "http://other.example/"),
    )

    assert (good["score"], good["verdict"], good["rejected"]) == (None, "benign", None)
    assert (bad["score"], bad["verdict"], bad["rejected"]) == (None, "malicious", None)
    assert [row["reason"] for row in (good, bad, other)] == ["allow_list", "deny_list", "model"]
    assert other["score"] > 0
    assert other["verdict"] == "malicious"


@pytest.mark.slow
def test_lists_of_networks_and_paths_decide_on_the_verdict(tmp_path: Path) -> None:
    (tmp_path / "allow").write_text("10.0.0.0/8\nexample.com/app\n")
    (tmp_path / "deny").write_text("10.6.0.0/16\n45.83.12.9\n2001:db8::/32\n")

    rows = scored(
        *("--allow-list", str(tmp_path / "allow"), "--deny-list", str(tmp_path / "deny")),
        *("http://10.1.2.3/login.exe", "10.6.1.1", "http://[::ffff:45.83.12.9]/arm7"),
        *("https://www.example.com/app/deeper?x=1", "http://[2001:db8::7]:8080/a"),
        *("http://[64:ff9b::198.51.100.9]/arm7", "http://198.51.100.9/arm7"),
    )

    assert [row["verdict"] for row in rows[:5]] == [
        "benign",
        "malicious",
        "malicious",
        "benign",
        "malicious",
    ]
    assert [row["score"] for row in rows[:5]] == [None] * 5
    # One target in two spellings has one score.
    assert rows[5]["canonical"] == rows[6]["canonical"] == "198.51.100.9/arm7"
    assert rows[5]["score"] == rows[6]["score"] > 0.9


@pytest.mark.slow
def test_a_log_of_json_is_scored_by_chosen_fields(tmp_path: Path) -> None:
    log = tmp_path / "events.json"
    log.write_text(
        '{"domain": "bad.example", "src": {"addr": "10.0.0.7"}, "host": "collector-1"}\n'
        '{"host": "collector-1", "message": "10.0.0.7 asked for bad.example"}\n'
    )
    done = run_command(
        *("score", "--json", "--format", "json", "--json-fields", "host=domain,client=src.addr"),
        str(log),
    )
    assert done.returncode == 0, done.stderr
    chosen, envelope = rows_of(done.stdout)
    assert (chosen["canonical"], chosen["client"]) == ("bad.example", "10.0.0.7")
    assert (envelope["rejected"], envelope["canonical"]) == ("unknown_format", None)


@pytest.mark.parametrize(
    ("entry", "parts"),
    [
        ("co.uk", ["line 1", "co.uk", "public suffix", "suffix:co.uk"]),
        ("10.1.2.3/8", ["line 1", "10.1.2.3/8", "10.0.0.0/8"]),
    ],
)
def test_an_entry_that_means_something_else_is_refused_in_one_line(
    tmp_path: Path, entry: str, parts: list[str]
) -> None:
    (tmp_path / "list").write_text(f"{entry}\n")
    done = run_command("score", "--allow-list", str(tmp_path / "list"), "a.example")
    assert_one_line_error(done, 2, *parts)


@pytest.mark.slow
def test_people_get_a_table(tmp_path: Path) -> None:
    (tmp_path / "deny").write_text("bad.example\n")
    arguments = [b"http://www.example.com/", b"\x1b[31mred", b"login.example", b"", b"\xff"]
    done = run_command(
        "score", *arguments, "http://bad.example/x", "--deny-list", str(tmp_path / "deny")
    )
    exact = [row["score"] for row in scored(*arguments)]

    assert (done.returncode, done.stderr) == (0, b"")
    *thresholds, head, url, red, host, empty, broken, bad = done.stdout.decode().splitlines()
    for kind, line in zip(("url", "host"), thresholds, strict=True):
        assert re.fullmatch(
            rf"# {kind}: suspicious from 0\.\d{{4}}, malicious from 0\.\d{{4}}", line
        )
    assert bad.split() == ["list", "malicious", "url", "bad.example/x"]
    assert head.split() == ["score", "verdict", "kind", "canonical", "form"]
    column = head.index("canonical")
    assert url.split() == [f"{exact[0]:.4f}", url.split()[1], "url", "example.com"]
    assert host.split() == [f"{exact[2]:.4f}", host.split()[1], "host", "login.example"]
    assert {line.index(text) for line, text in ((url, "example"), (host, "login"))} == {column}
    # Escaped: a line of a log must not paint the terminal.
    assert red.split() == ["-", "rejected", "host", "invalid_host:", r"'\x1b[31mred'"]
    assert empty.split() == ["-", "rejected", "-", "empty:", "''"]
    assert broken.split() == ["-", "rejected", "-", "not_utf8:", r"'\ufffd'"]


@pytest.mark.slow
def test_nothing_in_is_nothing_out(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    done = run_command("score", "--file", str(tmp_path / "empty"))

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.slow
def test_a_missing_bundle_is_reported_with_its_setting(tmp_path: Path) -> None:
    done = run_command("score", "--host-bundle", str(tmp_path), "a.example")

    assert_one_line_error(done, 2, str(tmp_path), "manifest.json", "correct host_bundle")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ([], ["nothing to score", "--file"]),
        (["--json"], ["nothing to score"]),
        (["a.example", "-"], ["-", "no other argument"]),
        (["--file", "-", "a.example"], ["not both"]),
        (["--file", "/no/such/file"], ["--file", "/no/such/file"]),
        (["--file", "/"], ["--file", "directory"]),
        (["--kind", "domain", "a.example"], ["--kind", "'domain'", "'auto', 'url', 'host'"]),
        (["--cache-entries", "-1", "a.example"], ["cache_entries", "'-1'", "--cache-entries"]),
        (["--deny-list", "/no/such/list", "a.example"], ["deny_list", "/no/such/list"]),
        (["--alert-window", "5", "a.example"], ["--alert-window"]),
        (["--format", "squid"], ["nothing to score", "log files"]),
        (["--format", "syslog", "/dev/null"], ["'syslog'", "squid", "zeek_dns"]),
        (["--format", "squid", "/no/such/log"], ["'/no/such/log'", "arguments are log files"]),
        (["--format", "auto", "/"], ["'/'", "is a folder"]),
        (["--format", "auto", "--kind", "url", "/dev/null"], ["--kind", "a log line"]),
    ],
)
def test_wrong_usage_is_reported_in_one_line(arguments: list[str], parts: list[str]) -> None:
    assert_one_line_error(run_command("score", *arguments), 2, *parts)


SQUID_LINE = (
    b"1795165203.100    120 10.20.3.%d TCP_MISS/200 512 GET http://site%d.example/a?b=%d - "
    b"HIER_DIRECT/192.0.2.9 text/html"
)
ZEEK_LOG = b"""\
#separator \\x09
#path\tdns
#fields\tts\tuid\tquery\tid.orig_h
#types\ttime\tstring\tstring\taddr
1795165200.5\tCa1\tfirst.example\t10.20.9.1
1795165201.5\tCa2\t-\t10.20.9.2
1795165202.5\tCa3
#close\t2026-11-20-10-00-00
"""
EVE_LINE = json.dumps(
    {
        "timestamp": "2026-11-20T09:05:00.000000+0000",
        "event_type": "dns",
        "src_ip": "10.20.9.7",
        "flow_id": 77,
        "dns": {"type": "query", "rrname": "second.example"},
    }
).encode()


@pytest.fixture
def logs(tmp_path: Path) -> list[str]:
    """Squid's log, Zeek's with columns of its own and packed, and lines of several programs."""
    squid, zeek, mixed = (tmp_path / name for name in ("access.log", "dns.log.gz", "mixed.log"))
    squid.write_bytes(b"\n".join(SQUID_LINE % (n, n, n) for n in range(3)) + b"\nbroken \x1b[2J\n")
    zeek.write_bytes(gzip.compress(ZEEK_LOG))
    mixed.write_bytes(EVE_LINE + b"\n\n" + b"http://plain.example/x\nno log at all, this\n")
    return list(map(str, (squid, zeek, mixed)))


@pytest.mark.slow
def test_what_log_files_name_is_scored_without_kafka(logs: list[str]) -> None:
    done = run_command("score", "--format", "auto", "--json", *logs)
    assert done.returncode == 0, done.stderr
    rows = rows_of(done.stdout)

    squid, zeek, mixed = logs
    assert [(r["file"], r["line"], r["format"], r["input"]) for r in rows if not r["rejected"]] == [
        *[(squid, n + 1, "squid", f"http://site{n}.example/a?b={n}") for n in range(3)],
        (zeek, 5, "zeek_dns", "first.example"),
        (mixed, 1, "suricata", "second.example"),
        (mixed, 3, "plain", "http://plain.example/x"),
    ]
    assert all(list(row)[: len(FIELDS)] == FIELDS for row in rows)
    assert all(0 <= row["score"] <= 1 for row in rows if not row["rejected"])
    by_input = {row["input"]: row for row in rows}
    first = by_input["first.example"]
    assert (first["client"], first["log_id"], first["kind"]) == ("10.20.9.1", "Ca1", "host")
    assert first["time"] == "2026-11-20T09:00:00.500000Z"
    rejected = {(r["file"], r["line"]): (r["rejected"], r["detail"]) for r in rows if r["rejected"]}
    assert set(rejected) == {(squid, 4), (zeek, 7), (mixed, 4)}
    assert rejected[zeek, 7][0] == "malformed"
    assert rejected[mixed, 4] == ("unknown_format", "no log format recognises the line")
    told = done.stderr.decode().splitlines()[-1]
    assert told == ("16 lines: 6 URLs and host names, 3 rejected, 7 lines with neither"), (
        "six of Zeek's and an empty one"
    )


@pytest.mark.slow
def test_people_get_a_table_of_a_log_with_the_reason_of_what_is_rejected(logs: list[str]) -> None:
    done = run_command("score", "--format", "squid", "--file", logs[0])

    assert done.returncode == 0, done.stderr
    *_, head, first, _, _, broken = done.stdout.decode().splitlines()
    assert head.split() == ["score", "verdict", "kind", "line", "canonical", "form"]
    assert first.split()[2:] == ["url", "1", "site0.example/a?b=0"]
    *columns, why = broken.split(maxsplit=4)
    assert columns == ["-", "rejected", "-", "4"]
    assert re.fullmatch(r"malformed \(.+\): 'broken \\x1b\[2J'", why), why


@pytest.mark.slow
def test_a_log_of_stdin_is_scored_in_the_format_that_is_given() -> None:
    lines = b"\n".join([SQUID_LINE % (1, 1, 1), EVE_LINE])
    done = run_command("score", "--format", "squid", "--json", "-", stdin=lines)

    good, json_line = rows_of(done.stdout)
    assert (good["file"], good["input"]) == (None, "http://site1.example/a?b=1")
    assert (json_line["rejected"], json_line["format"]) == ("malformed", "squid")


@pytest.mark.slow
def test_a_packed_file_is_read_and_a_damaged_one_reported(tmp_path: Path) -> None:
    packed, damaged = tmp_path / "urls.gz", tmp_path / "damaged.gz"
    packed.write_bytes(gzip.compress(b"a.example\nhttp://b.example/\n"))
    damaged.write_bytes(gzip.compress(bytes(range(256)) * 1000)[:-200])

    rows = scored("--file", str(packed))
    assert [row["canonical"] for row in rows] == ["a.example", "b.example"]
    by_stdin = scored("-", stdin=bytes(cramjam.zstd.compress(b"c.example")))
    assert [row["canonical"] for row in by_stdin] == ["c.example"]
    done = run_command("score", "--file", str(damaged))
    assert_one_line_error(done, 1, "damaged or cut off", "gzip")


@pytest.mark.slow
def test_long_work_shows_how_far_it_is_where_no_terminal_is(tmp_path: Path) -> None:
    path = tmp_path / "urls"
    path.write_bytes(b"".join(b"http://h%d.example/%d\n" % (n, n * 7) for n in range(60_000)))

    done = subprocess.run(
        command_line("score", "--json", "--file", str(path)),
        capture_output=True,
        env=environment_of(),
        check=False,
    )

    assert done.returncode == 0
    assert done.stdout.count(b"\n") == 60_000
    first, *_ = done.stderr.decode().splitlines()
    assert re.fullmatch(r"scoring, [\d,]+ of [\d,]+ bytes, ([\d,]+ lines, )?\d+ s", first)
