"""Programs that write logs and programs that ship them, with the files of ``deploy/shippers``."""

import http.client
import http.server
import os
import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from stream_detector.events import Ignored, UrlEvent
from stream_detector.sources.reading import RecordReader
from support.broker import free_ports
from support.processes import ROOT, ChildProcess, ProcessEndedError, wait_until
from support.records import read_all

__all__ = [
    "COLLECTOR",
    "CONFIGURATIONS",
    "LOCALHOST",
    "Requested",
    "Seen",
    "Shippers",
    "answering_server",
    "ask_dns",
    "fetch",
    "shippers_folder",
    "tunnel",
]

CONFIGURATIONS = ROOT / "deploy" / "shippers"
LOCALHOST = "127.0.0.1"
_READY_SECONDS = 30.0
_SHIPPED_SECONDS = 30.0
COLLECTOR = ROOT / ".cache" / "otel-collector" / "otel-collector"
"""The OpenTelemetry Collector that ``make collector-test`` builds."""
_UNPACKED = ROOT / ".cache" / "syslog-ng"
"""Where ``tests/install-tools`` unpacks syslog-ng, which Debian does not install beside rsyslog."""


class Requested(NamedTuple):
    """A request that a test made, or that a reader found."""

    kind: str
    observed: str
    client: str | None


class Seen(NamedTuple):
    """A request found in a topic."""

    requested: Requested
    time: datetime | None
    format: str


class Shippers:
    """Starts programs in one folder. Output goes to ``NAME.out`` there; ``close`` stops them all.

    The programs run as the test's user. Squid as root becomes ``proxy``, which must be able to
    write into the folder.
    """

    def __init__(self, folder: Path, bootstrap_servers: str, topic: str) -> None:
        self.folder = folder
        self.topic = topic
        self._bootstrap_servers = bootstrap_servers
        self._kafka = {"kafka.example:9092": bootstrap_servers, "url-events": topic}
        self._processes: list[ChildProcess] = []

    def configuration(self, name: str, main: str = "", **replaced: str) -> Path:
        """A file of ``deploy/shippers`` with Kafka's address, the topic and the folders of the
        test, where the file has them. With ``main``, the file that includes it: ``{included}``.
        """
        text = (CONFIGURATIONS / name).read_text()
        folders = dict.fromkeys(
            [f"/var/log/{each}" for each in ("squid", "nginx", "unbound", "dnsmasq")]
            + ["/var/spool/rsyslog", "/var/lib/otelcol/file_storage"],
            str(self.folder),
        )
        for old, new in {**self._kafka, **folders}.items():
            text = text.replace(old, new)
        shipped = self.folder / f"shipped-{name}"
        shipped.write_text(text)
        if not main:
            return shipped
        path = self.folder / f"main-{name}"
        path.write_text(main.format(included=shipped, folder=self.folder, **replaced))
        return path

    def start(
        self, name: str, *command: str, environment: Mapping[str, str] | None = None
    ) -> ChildProcess:
        """Start a program that stays in the foreground."""
        program = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
        assert program is not None or "/" in name, f"{name} is not installed: run `make tools`"
        process = ChildProcess(
            [program or name, *command],
            log=self.folder / f"{Path(name).name}.out",
            environment={**os.environ, **(environment or {})},
            folder=self.folder,
        )
        self._processes.append(process)
        return process

    def start_rsyslog(self) -> ChildProcess:
        """Ship the logs in the folder, those that are not there yet too."""
        main = 'global(workDirectory="{folder}")\ninclude(file="{included}")\n'
        path = self.configuration("rsyslog.conf", main)
        return self.start("rsyslogd", "-n", "-f", str(path), "-i", str(self.folder / "rsyslog.pid"))

    def start_syslog_ng(self) -> ChildProcess:
        """As ``start_rsyslog``."""
        main = (
            '@version: 3.38\n@include "{included}"\n'
            "log {{ source {{ internal(); }};"
            ' destination {{ file("{folder}/internal.log"); }}; }};\n'
        )
        path = str(self.configuration("syslog-ng.conf", main))
        files = {
            "--persist-file": "syslog-ng.persist",
            "--pidfile": "syslog-ng.pid",
            "--control": "syslog-ng.ctl",
        }
        places = [f"{option}={self.folder / file}" for option, file in files.items()]
        arguments = ["--foreground", "--stderr", "--no-caps", f"--cfgfile={path}", *places]
        modules = next(_UNPACKED.glob("usr/lib/syslog-ng/[0-9]*"))
        libraries = [_UNPACKED / "usr/lib/syslog-ng", *_UNPACKED.glob("**/x86_64-linux-gnu")]
        return self.start(
            str(_UNPACKED / "usr/sbin/syslog-ng"),
            *arguments,
            f"--module-path={modules}",
            environment={"LD_LIBRARY_PATH": ":".join(map(str, libraries))},
        )

    def start_otel_collector(self) -> ChildProcess:
        """As ``start_rsyslog``."""
        path = self.configuration("otel-collector.yaml")
        return self.start(str(COLLECTOR), "--config", f"file:{path}")

    def start_squid(self, names: Iterable[str]) -> int:
        """A proxy that finds ``names`` at the loopback address; returns its port."""
        (port,) = free_ports(1)
        (self.folder / "hosts").write_text("".join(f"{LOCALHOST} {name}\n" for name in names))
        main = (
            "http_port {address}:{port}\nhttp_access allow all\ncache deny all\n"
            "pid_filename {folder}/squid.pid\ncache_log {folder}/cache.log\n"
            "coredump_dir {folder}\nhosts_file {folder}/hosts\nshutdown_lifetime 0 seconds\n"
            "pinger_enable off\nnetdb_filename none\ninclude {included}\n"
        )
        path = self.configuration("squid.conf", main, address=LOCALHOST, port=str(port))
        squid = self.start("squid", "-N", "-f", str(path), "-n", f"test{port}")
        _wait_for_port(squid, port)
        return port

    def start_nginx(self) -> int:
        """A server that answers every request itself, in one process; returns its port."""
        (port,) = free_ports(1)
        temporary = "".join(
            f"  {each}_temp_path {{folder}}/{each};\n"
            for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        main = (
            "daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log stderr;\n"
            "events {{ }}\nhttp {{\n" + temporary + "  include {included};\n"
            "  server {{\n    listen {address}:{port};\n    location / {{ return 204; }}\n  }}\n"
            "}}\n"
        )
        path = self.configuration("nginx.conf", main, address=LOCALHOST, port=str(port))
        nginx = self.start("nginx", "-p", str(self.folder), "-c", str(path))
        _wait_for_port(nginx, port)
        return port

    def start_dnsmasq(self) -> int:
        """A server that knows every name under ``example``; returns its port."""
        (port,) = free_ports(1)
        main = (
            "port={port}\nlisten-address={address}\nbind-interfaces\nno-resolv\nno-hosts\n"
            "address=/example/192.0.2.1\npid-file={folder}/dnsmasq.pid\nuser={user}\ngroup=\n"
            "conf-file={included}\n"
        )
        path = self.configuration(
            "dnsmasq.conf", main, address=LOCALHOST, port=str(port), user=_user()
        )
        dnsmasq = self.start("dnsmasq", "--keep-in-foreground", f"--conf-file={path}")
        _wait_for_port(dnsmasq, port)
        return port

    def start_unbound(self) -> int:
        """As ``start_dnsmasq``."""
        (port,) = free_ports(1)
        main = (
            'server:\n  interface: {address}@{port}\n  do-daemonize: no\n  chroot: ""\n'
            '  username: ""\n  directory: "{folder}"\n  pidfile: "{folder}/unbound.pid"\n'
            "  access-control: 127.0.0.0/8 allow\n  num-threads: 1\n"
            '  local-zone: "example." redirect\n  local-data: "example. A 192.0.2.1"\n'
            'remote-control:\n  control-enable: no\ninclude: "{included}"\n'
        )
        path = self.configuration("unbound.conf", main, address=LOCALHOST, port=str(port))
        unbound = self.start("unbound", "-d", "-c", str(path))
        _wait_for_port(unbound, port)
        return port

    def seen(self, requests: int) -> list[Seen]:
        """What one reader finds in the topic, once that is so many requests.

        Raises:
            AssertionError: a line that the reader rejects.
            ProcessEndedError: a program has ended, or there are less after a time; with the ends of
                all outputs.
        """
        seen: list[Seen] = []

        def there() -> bool:
            if any(process.exit_code is not None for process in self._processes):
                raise TimeoutError("a program has ended")
            read = read_all(self._bootstrap_servers, self.topic)
            seen[:] = read_by([record.value or b"" for record in read])
            return len(seen) >= requests

        try:
            wait_until(there, timeout=_SHIPPED_SECONDS, what=f"{requests} requests")
        except TimeoutError as error:
            ends = [f"{each.command[0]}:\n{each.tail()}" for each in self._processes]
            raise ProcessEndedError("\n".join([f"{error}, saw {len(seen)}", *ends])) from None
        return seen

    def close(self) -> None:
        """Stop all, the last first."""
        for process in reversed(self._processes):
            process.stop(timeout=5)


@contextmanager
def shippers_folder() -> Iterator[Path]:
    """A folder that any user may write into; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(prefix="shippers-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder


@contextmanager
def answering_server() -> Iterator[int]:
    """A local server that answers every GET; gives its port."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:
            """Keep the tests' output clean."""

    server = http.server.ThreadingHTTPServer((LOCALHOST, 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def fetch(url: str, *, proxy: int, client: str = LOCALHOST) -> int:
    """Request a URL through a proxy on ``proxy``, from a loopback address; returns the status."""
    connection = http.client.HTTPConnection(
        LOCALHOST, proxy, timeout=20, source_address=(client, 0)
    )
    try:
        connection.request("GET", url, headers={"Host": url.split("/")[2]})
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def tunnel(target: str, *, proxy: int, client: str = LOCALHOST) -> None:
    """Open and close a tunnel to ``HOST:PORT``, as a browser does for https."""
    with socket.create_connection((LOCALHOST, proxy), 20, source_address=(client, 0)) as connection:
        connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        assert b" 200 " in connection.recv(4096)


def ask_dns(name: str, *, port: int, client: str = LOCALHOST) -> bytes:
    """Ask for the address of ``name`` from a loopback address; returns the server's answer."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.bind((client, 0))
        connection.settimeout(20)
        connection.sendto(query, (LOCALHOST, port))
        answer = connection.recv(4096)
    assert answer[3] & 0x0F == 0, f"{name} has no answer"
    return answer


def read_by(values: Sequence[bytes]) -> list[Seen]:
    """What one reader finds in records."""
    reader = RecordReader(None)
    seen = []
    for value in values:
        for format_name, result in reader.read(value):
            if isinstance(result, Ignored):
                continue
            assert isinstance(result, UrlEvent), (value, result)
            requested = Requested(result.kind, result.observed, result.client)
            seen.append(Seen(requested, result.time, format_name))
    return seen


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def _wait_for_port(process: ChildProcess, port: int) -> None:
    def open_() -> bool:
        try:
            socket.create_connection((LOCALHOST, port), timeout=1).close()
        except OSError:
            return False
        return True

    process.wait_until(open_, timeout=_READY_SECONDS, what=f"port {port} is open")
