"""Write the sample logs of this folder: ``python data/samples/generate.py``.

The same seed gives the same bytes. Ordinary sites have their own names; everything malicious is
made up by the rules below and exists nowhere (see README.md).
"""

import json
import random
import re
import string
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parent
SEED = 20_261_120
START = datetime(2026, 11, 20, 9, 0, 0, tzinfo=UTC)
DURATION_SECONDS = 1800

MALICIOUS_SHARE = 0.05
"""Far above what a real network shows, so that a short demo has something to show."""

LETTERS = string.ascii_lowercase
BASE36 = LETTERS + string.digits

# RFC 5737: addresses for documentation. RFC 2544: addresses for benchmarks, here servers.
BAD_NETWORKS = ("192.0.2", "198.51.100", "203.0.113")
SERVER_NETWORK = "198.18"

TEXTS = {
    name: text.split()
    for name, text in tomllib.loads((FOLDER / "words.toml").read_text(encoding="utf-8")).items()
}
ALPHABETS = {
    "a": BASE36,
    "d": string.digits,
    "l": LETTERS,
    "m": BASE36 + LETTERS.upper(),
    "x": string.hexdigits[:16],
}


class Visit(NamedTuple):
    """One page or name that a client asked for."""

    time: datetime
    client: str
    url: str
    """With a scheme: a URL; without: a host name."""


class Generator:
    """Makes visits and writes them as log lines; all randomness comes from ``seed``."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - not for secrets
        self.clients = [f"10.20.{self.random.randint(1, 9)}.{n}" for n in range(10, 90)]
        self.infected = self.random.sample(self.clients, 9)

    def token(self, length: int, alphabet: str = BASE36) -> str:
        """Random characters."""
        return "".join(self.random.choices(alphabet, k=length))

    def fill(self, template: str) -> str:
        """``template`` with its marks replaced: ``<word>`` by a word, ``<a11>`` by characters."""

        def value(mark: re.Match[str]) -> str:
            name, count = mark.groups()
            if count:
                return self.token(int(count), ALPHABETS[name])
            return self.random.choice(TEXTS[name])

        return re.sub(r"<([a-z]+)(\d*)>", value, template)

    def ordinary_url(self) -> str:
        """A URL of a well-known site with a path as that site has; a few of the office."""
        if self.random.random() < 0.005:
            return self.fill("http://10.20.0.<d1>:8080/status")
        return self.fill(self.random.choice(TEXTS["ordinary_urls"]))

    def ordinary_host(self) -> str:
        """A host name that networks ask for all day."""
        draw = self.random.random()
        if draw < 0.03:
            return f"d{self.token(13)}.cloudfront.net"
        if draw < 0.06:
            return f"r{self.random.randint(1, 6)}---sn-{self.token(8)}.googlevideo.com"
        if draw < 0.08:
            return f"10.{self.random.randint(1, 9)}.20.10.in-addr.arpa"
        return self.random.choice(TEXTS["host"])

    def generated_domain(self) -> str:
        """What malware computes to find its master: letters, hexadecimal digits, or words."""
        tld = self.random.choice(TEXTS["dga_tlds"])
        style = self.random.randrange(5)
        if style == 0:
            return f"{self.token(self.random.randint(14, 22), LETTERS)}.{tld}"
        if style == 1:
            return f"{self.token(32, string.hexdigits[:16])}.{tld}"
        if style == 2:
            return f"{self.token(self.random.randint(18, 26))}.{tld}"
        if style == 3:
            return f"{''.join(self.random.sample(TEXTS['word'], 3))}{self.token(6, LETTERS)}.{tld}"
        consonants = "bcdfghjklmnpqrstvwxz"
        pairs = (self.random.choice(consonants) + self.random.choice("aeiouy") for _ in range(9))
        return f"{''.join(pairs)}{self.token(3, consonants)}.{tld}"

    def look_alike(self) -> str:
        """A host name that poses as a bank, a parcel service, a mail login."""
        words = [
            self.random.choice(TEXTS["brands"]),
            *self.random.sample(TEXTS["bait"], 2),
            self.token(6),
        ]
        return f"{'-'.join(words)}.{self.random.choice(TEXTS['bait_tlds'])}"

    def malicious_url(self) -> tuple[str, str]:
        """``phishing`` (a page), ``malware`` (a download) or ``master`` (a call), and the URL."""
        path = self.fill(self.random.choice(TEXTS["malware_paths"]))
        draw = self.random.random()
        if draw < 0.4:
            port = self.random.choice(["", "", f":{self.random.randint(30000, 60000)}"])
            network = self.random.choice(BAD_NETWORKS)
            return "malware", f"http://{network}.{self.random.randint(1, 254)}{port}{path}"
        if draw < 0.8:
            page = self.fill(self.random.choice(TEXTS["phishing_pages"]))
            return "phishing", f"http://{self.look_alike()}/{page}"
        return "master", f"http://{self.generated_domain()}{path}"

    def malicious_host(self) -> str:
        """A generated domain, a look-alike, or data smuggled out in labels."""
        draw = self.random.random()
        if draw < 0.6:
            return self.generated_domain()
        if draw < 0.85:
            return self.look_alike()
        return f"{self.token(48, BASE36)}.{self.token(20, BASE36)}.t.{self.generated_domain()}"

    def visits(self, count: int, *, hosts: bool) -> Iterator[Visit]:
        """``count`` visits in order of time; of host names only if ``hosts``."""
        seconds = sorted(self.random.uniform(0, DURATION_SECONDS) for _ in range(count))
        for second in seconds:
            time = START + timedelta(seconds=round(second, 3))
            if self.random.random() < MALICIOUS_SHARE:
                client = self.random.choice(self.infected)
                what = self.malicious_host() if hosts else self.malicious_url()[1]
            else:
                client = self.random.choice(self.clients)
                what = self.ordinary_host() if hosts else self.ordinary_url()
            yield Visit(time, client, what)

    def server(self, visit: Visit) -> str:
        """The address that answers: the one in the URL, or else a random one."""
        host = _host(visit.url).partition(":")[0]
        if host.replace(".", "").isdigit():
            return host
        return f"{SERVER_NETWORK}.{self.random.randint(0, 255)}.{self.random.randint(1, 254)}"

    def uid(self) -> str:
        """A connection's identifier, as Zeek writes it."""
        return "C" + self.token(17, BASE36 + LETTERS.upper())

    def zeek_http(self, count: int) -> Iterator[str]:
        """``http.log`` as JSON: https://docs.zeek.org/en/master/logs/http.html."""
        for visit in self.visits(count, hosts=False):
            host, _, rest = visit.url.partition("://")[2].partition("/")
            name, _, port = host.partition(":")
            yield _json(
                {
                    "ts": visit.time.timestamp(),
                    "uid": self.uid(),
                    "id.orig_h": visit.client,
                    "id.orig_p": self.random.randint(32768, 60999),
                    "id.resp_h": self.server(visit),
                    "id.resp_p": int(port or 80),
                    "trans_depth": 1,
                    "method": "GET",
                    "host": name,
                    "uri": f"/{rest}",
                    "version": "1.1",
                    "user_agent": "Mozilla/5.0",
                    "status_code": 200,
                    "response_body_len": self.random.randint(0, 90000),
                }
            )

    def zeek_dns(self, count: int) -> Iterator[str]:
        """``dns.log`` as TSV: https://docs.zeek.org/en/master/logs/dns.html."""
        columns = (
            "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto trans_id rtt query qclass "
            "qclass_name qtype qtype_name rcode rcode_name AA TC RD RA Z answers TTLs rejected"
        )
        types = (
            "time string addr port addr port enum count interval string count "
            "string count string count string bool bool bool bool count "
            "vector[string] vector[interval] bool"
        )
        yield "#separator \\x09"
        yield "#set_separator\t,"
        yield "#empty_field\t(empty)"
        yield "#unset_field\t-"
        yield "#path\tdns"
        yield f"#open\t{START:%Y-%m-%d-%H-%M-%S}"
        yield "#fields\t" + columns.replace(" ", "\t")
        yield "#types\t" + types.replace(" ", "\t")
        for visit in self.visits(count, hosts=True):
            found = not visit.url.endswith(("ru", "ws", "cc"))
            kind = "12\tPTR" if visit.url.endswith(".arpa") else "1\tA"
            client = f"{self.uid()}\t{visit.client}\t{self.random.randint(32768, 60999)}"
            start = f"{visit.time.timestamp():.6f}\t{client}\t10.20.0.53\t53\tudp"
            number = self.random.randint(1, 65535)
            query = f"{number}\t{self.random.uniform(0.001, 0.08):.6f}\t{visit.url}\t1\tC_INTERNET"
            code = "0\tNOERROR" if found else "3\tNXDOMAIN"
            answer = f"{self.server(visit)}\t60.000000" if found else "-\t-"
            yield f"{start}\t{query}\t{kind}\t{code}\tF\tF\tT\tT\t0\t{answer}\tF"
        yield f"#close\t{START + timedelta(seconds=DURATION_SECONDS):%Y-%m-%d-%H-%M-%S}"

    def squid(self, count: int) -> Iterator[str]:
        """Native ``access.log``: https://wiki.squid-cache.org/Features/LogFormat."""
        for visit in self.visits(count, hosts=False):
            start = f"{visit.time.timestamp():.3f} {self.random.randint(1, 900):6d} {visit.client}"
            size = self.random.randint(200, 60000)
            if visit.url.startswith("https:"):
                host = _host(visit.url)
                yield f"{start} TCP_TUNNEL/200 {size} CONNECT {host}:443 - HIER_DIRECT/{host} -"
            else:
                server = self.server(visit)
                yield (
                    f"{start} TCP_MISS/200 {size} GET {visit.url} - "
                    f"HIER_DIRECT/{server} application/octet-stream"
                )

    def dnsmasq(self, count: int) -> Iterator[str]:
        """Query log of ``log-queries``: https://thekelleys.org.uk/dnsmasq/docs/dnsmasq-man.html."""
        for visit in self.visits(count, hosts=True):
            start = f"{visit.time:%b %d %H:%M:%S} dnsmasq[811]:"
            kind = "PTR" if visit.url.endswith(".arpa") else self.random.choice(["A", "A", "AAAA"])
            yield f"{start} query[{kind}] {visit.url} from {visit.client}"
            if self.random.random() < 0.15:
                yield f"{start} forwarded {visit.url} to 198.18.0.53"
                yield f"{start} reply {visit.url} is {self.server(visit)}"

    def suricata(self, count: int) -> Iterator[str]:
        """EVE JSON: https://docs.suricata.io/en/latest/output/eve/eve-json-format.html."""
        for number, visit in enumerate(self.visits(count, hosts=False)):
            host = _host(visit.url)
            event: dict[str, object] = {
                "timestamp": visit.time.strftime("%Y-%m-%dT%H:%M:%S.%f+0000"),
                "flow_id": self.random.randint(10**14, 10**15),
                "in_iface": "eth1",
                "event_type": "http",
                "src_ip": visit.client,
                "src_port": self.random.randint(32768, 60999),
                "dest_ip": self.server(visit),
                "dest_port": 80,
                "proto": "TCP",
            }
            if number % 12 == 0:
                flow = {"pkts_toserver": 9, "pkts_toclient": 8, "state": "closed"}
                yield _json({**event, "event_type": "flow", "flow": flow})
            elif number % 4 == 0 and ":" not in host and not host[-1].isdigit():
                query = {"type": "query", "id": self.random.randint(1, 65535), "rrname": host}
                dns = {**query, "rrtype": "A", "tx_id": 0}
                event |= {"event_type": "dns", "dest_port": 53, "proto": "UDP", "dns": dns}
                yield _json(event)
            elif visit.url.startswith("https:"):
                tls = {"sni": host, "version": "TLS 1.3"}
                yield _json({**event, "event_type": "tls", "dest_port": 443, "tls": tls})
            else:
                name, _, port = host.partition(":")
                http = {
                    "hostname": name,
                    "url": visit.url.partition("://")[2].removeprefix(host) or "/",
                    "http_method": "GET",
                    "protocol": "HTTP/1.1",
                    "status": 200,
                    **({"http_port": int(port)} if port else {}),
                }
                yield _json({**event, "dest_port": int(port or 80), "http": http, "tx_id": 0})

    def plain(self, count: int) -> Iterator[str]:
        """One URL or host name a line."""
        for number in range(count):
            bad = self.random.random() < MALICIOUS_SHARE
            if number % 3 == 0:
                yield self.malicious_host() if bad else self.ordinary_host()
            else:
                yield self.malicious_url()[1] if bad else self.ordinary_url()


# Lines of a broken shipper: each becomes a dead letter with its own reason.
BROKEN: dict[str, tuple[bytes, ...]] = {
    "zeek_http.log": (
        b'{"ts": 1795165200.5, "uid": "CbroKen1", "id.orig_h": "10.20.3.33", "host": "www.goo',
        b'{"ts": 1795165201.5, "uid": "CbroKen2", "id.orig_h": "10.20.3.33", "host": 4711}',
    ),
    "zeek_dns.log": (b"1795165202.100000\tCbroKen3\t10.20.3.33\t51234",),
    "squid_access.log": (b"1795165203.100    120 10.20.3.33 TCP_MISS/200 512 GET",),
    "suricata_eve.json": (
        b'{"timestamp": "2026-11-20T09:05:00.000000+0000", "event_type": "http", "http": {}}',
    ),
    "urls.txt": (b"http://", b"\xff\xfe\x00h\x00t\x00t\x00p", b"what is this line"),
}


def write_all(folder: Path) -> None:
    """Write every sample log into ``folder``."""
    generator = Generator(SEED)
    logs = {
        "zeek_http.log": generator.zeek_http(430),
        "zeek_dns.log": generator.zeek_dns(700),
        "squid_access.log": generator.squid(480),
        "dnsmasq.log": generator.dnsmasq(450),
        "suricata_eve.json": generator.suricata(260),
        "urls.txt": generator.plain(240),
    }
    for name, lines in logs.items():
        whole = [line.encode("ascii") for line in lines]
        for number, broken in enumerate(BROKEN.get(name, ())):
            whole.insert(len(whole) * (number + 1) // 4, broken)
        (folder / name).write_bytes(b"".join(line + b"\n" for line in whole))


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0] or url


def _json(value: dict[str, object]) -> str:
    return json.dumps(value, separators=(",", ":"))


if __name__ == "__main__":
    write_all(FOLDER)
