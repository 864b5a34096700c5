"""The contract of a log format. A new format is one module, registered in ``reading.SOURCES``
and named in ``FORMAT_NAMES``."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from stream_detector.events import Ignored, Rejected, RejectReason, UrlEvent

LineResult = UrlEvent | tuple[UrlEvent, ...] | Rejected | Ignored
"""One event, several, a faulty line, or a line that by its nature has no URL or host."""


EventResult = UrlEvent | Rejected | Ignored
Results = list[tuple[str, EventResult]]
"""Of a record or a line, each with the name of its format."""

# The settings check names against these two without importing a parser: commands start fast.

FORMAT_NAMES = (
    *("suricata", "zeek_dns", "zeek_ssl", "zeek_http", "json", "squid", "dnsmasq", "fortigate"),
    *("cef", "leef", "sophos", "cisco_firewall", "check_point", "sonicwall", "meraki"),
    *("juniper_srx", "watchguard", "palo_alto", "access_log", "bind", "unbound", "huawei_usg"),
    *("netscaler", "windows_dns", "powerdns", "coredns", "knot_resolver", "w3c", "umbrella"),
    *("skyhigh", "sysmon_xml", "aws_load_balancer", "envoy", "haproxy", "key_value", "plain"),
    "suricata_alerts",
)
"""The formats in ``reading.SOURCES``."""

CHOOSABLE_FIELDS = ("url", "host", "client", "time", "id")
"""The parts of an event that ``json_fields`` can name a field for."""


class Source(ABC):
    """One log format. Immutable: a line's result depends only on the line and its record.

    ``reading.read_record`` calls ``for_record`` once per block of header lines (``#``) and
    ``parse`` once per line, from one thread. No method raises, whatever the bytes.
    """

    name: ClassVar[str]
    """Its name in settings and metrics: lower case, underscores."""
    only_json: ClassVar[bool] = False
    """Whether every line is a JSON object: then no other line is offered to ``recognises``."""

    @abstractmethod
    def recognises(self, line: bytes) -> bool:
        """Whether ``line`` could be of this format: a cheap check, in the registry's order."""

    @abstractmethod
    def parse(self, line: bytes) -> LineResult:
        """Read one line, which is not blank and has no line end."""

    def for_record(self, lines: Sequence[bytes]) -> "Source":  # noqa: ARG002 - for overriding
        """The source for the lines after the header ``lines``, which may describe the columns."""
        return self


def decode_text(line: bytes) -> str | Rejected:
    """``line`` as text; Rejected if it is not UTF-8."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        return Rejected(RejectReason.NOT_UTF8, f"byte {error.start} is not UTF-8")
