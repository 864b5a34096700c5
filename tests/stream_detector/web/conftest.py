"""A server with a web configuration, for the tests of this folder."""

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from stream_detector.metrics import Metrics
from stream_detector.web.server import HealthServer
from support.certificates import CertificateAuthority
from support.web import Serve


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("web")


@pytest.fixture(scope="module")
def authority(folder: Path) -> CertificateAuthority:
    authority = CertificateAuthority(folder)
    authority.issue("server")
    return authority


@pytest.fixture
def serve(folder: Path, authority: CertificateAuthority) -> Iterator[Serve]:
    """Starts a server with a web configuration."""
    with ExitStack() as servers:

        def start(text: str) -> HealthServer:
            file = folder / "web.yml"
            file.write_text(text)
            server = HealthServer(
                registry=Metrics().registry,
                host="127.0.0.1",
                port=0,
                readiness=lambda: (True, "ready"),
                web_config=file,
            )
            return servers.enter_context(server)

        yield start


@pytest.fixture
def trusting(authority: CertificateAuthority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.file)
