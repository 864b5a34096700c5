"""Gives a process names of hosts that no resolver knows. Python imports this at its start.

``TESTS_HOSTS`` is ``NAME=ADDRESS,ADDRESS``: looking NAME up finds these addresses, in this order.
"""

import os
import socket
from typing import Any

_look_up = socket.getaddrinfo


def _add(name: str, addresses: list[str]) -> None:
    def look_up(host: Any, *arguments: Any, **options: Any) -> list[Any]:
        hosts = addresses if host == name else [host]
        return [found for each in hosts for found in _look_up(each, *arguments, **options)]

    socket.getaddrinfo = look_up


if "TESTS_HOSTS" in os.environ:
    _name, _, _addresses = os.environ["TESTS_HOSTS"].partition("=")
    _add(_name, _addresses.split(","))
