"""Headers that syslog and container runtimes put before a log line.

Syslog: RFC 5424, RFC 3164 as programs write it (with or without priority, host or tag; Cisco's
sequence number; ISO times), RFC 6587's octet count, rsyslog's ``@cee:``. Containers: the CRI log
format (https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md)
and the service names of ``docker compose logs``.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_ISO = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(?:[.,][0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
_PRIORITY = rb"(?:[0-9]{1,7} )?<[0-9]{1,3}>"
"""With RFC 6587's count of octets before it."""

_MAY_BE_HEADER = re.compile(
    rb"(?:%s|\*?%s [ 0-9][0-9] |%s |@cee:|[A-Za-z0-9_.-]{1,64} +\| )" % (_PRIORITY, _MONTH, _ISO)
)

_RFC_5424 = re.compile(
    rb"(?:%s)?1 (?:(%s)|-) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) " % (_PRIORITY, _ISO)
)
_STRUCTURED_DATA = re.compile(rb'-(?: |$)|(?:\[(?:[^\]"\\]|\\.|"(?:[^"\\]|\\.)*")*\])+(?: |$)')

_RFC_3164 = re.compile(
    rb"(?:%s)?"
    rb"(?:[0-9]{1,10}: )?(?:(?!%s)[^\s:*]{1,255}: )?"  # Cisco's sequence number, and its host.
    rb"[*.]?(?:(%s)|%s +[0-9]{1,2} (?:[0-9]{4} )?[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
    rb"(?: [0-9]{4})?(?: [A-Z]{3,4}(?=[: ]))?):? +" % (_PRIORITY, _MONTH, _ISO, _MONTH)
)
_HOST = re.compile(rb"(?![\[{%\"])[^\s=,|{\"]{1,255}(?<!:) +")
# CEF and LEEF begin as a tag would; Cisco's %ASA-5-304001: is part of the message.
_TAG = re.compile(
    rb"(?!CEF:|LEEF:|https?:|ftp:)[^\s:=,|%\[{\"<]{1,64}(?:\[[^\]\s]{0,32}\])?:(?![0-9]) ?"
)
_BARE_PRIORITY = re.compile(_PRIORITY)
_CRI = re.compile(rb"(%s) std(?:out|err) [FP] " % _ISO)
_COMPOSE = re.compile(rb"[A-Za-z0-9_.-]{1,64} +\| ")
_CEE = b"@cee:"

_READ_THEIR_OWN = re.compile(rb"(?:dnsmasq|pihole-FTL)")
"""Programs whose format needs the name in the header: an answer of a DNS server may contain a
text that looks like another message of the program."""


class Peeled(NamedTuple):
    """A line without its header."""

    door: str
    line: bytes
    time: str | None
    """Of the header, if it has year and zone."""


def peeled(line: bytes) -> Iterator[Peeled]:
    """``line`` without its header, in the order of how likely it is; nothing without a header.

    RFC 3164 leaves open which words are host and tag, so there are up to three readings.
    """
    if _MAY_BE_HEADER.match(line) is None:
        return
    if (match := _CRI.match(line)) is not None:
        yield Peeled("cri", line[match.end() :], match[1].decode())
        return
    if (match := _RFC_5424.match(line)) is not None:
        if not _READ_THEIR_OWN.match(match[3]):
            yield from _after_5424(line, match)
        return
    if (match := _RFC_3164.match(line)) is not None:
        time = match[1].decode() if match[1] else None
        for rest in _after_3164(line[match.end() :]):
            yield Peeled("syslog", _without_cookie(rest), time)
        return
    if (match := _BARE_PRIORITY.match(line)) is not None:
        for rest in _after_3164(line[match.end() :]):
            yield Peeled("syslog", _without_cookie(rest), None)
    elif line.startswith(_CEE):
        yield Peeled("cee", _without_cookie(line), None)
    elif (match := _COMPOSE.match(line)) is not None:
        yield Peeled("compose", line[match.end() :], None)


def _after_5424(line: bytes, header: re.Match[bytes]) -> Iterator[Peeled]:
    time = header[1].decode() if header[1] else None
    data = _STRUCTURED_DATA.match(line, header.end())
    if data is None:
        # Many programs leave the structured data out.
        yield Peeled("syslog", _without_cookie(line[header.end() :]), time)
        return
    message = line[data.end() :].removeprefix(b"\xef\xbb\xbf")
    if message.strip():
        yield Peeled("syslog", _without_cookie(message), time)
    else:
        # Juniper and Check Point write everything into the structured data.
        yield Peeled("syslog", header[5] + b" " + data[0].strip(), time)
        yield Peeled("syslog", data[0].strip(), time)


def _after_3164(rest: bytes) -> Iterator[bytes]:
    """What may follow time: ``HOST TAG: line``, ``TAG: line``, ``HOST line``, ``line``."""
    host = _HOST.match(rest)
    behind_host = rest[host.end() :] if host is not None else rest
    for part in (behind_host, rest) if host is not None else (rest,):
        tag = _TAG.match(part)
        if tag is not None and tag.end() < len(part):
            if _READ_THEIR_OWN.match(part):
                return
            yield part[tag.end() :].lstrip(b" ")
        yield part.lstrip(b": ")


def _without_cookie(line: bytes) -> bytes:
    line = line.lstrip(b" ")
    return line[len(_CEE) :].lstrip(b" ") if line.startswith(_CEE) else line
