"""The scrape with TLS and login in deploy/security.md, on a real Prometheus and a real server."""

import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import bcrypt
import pytest
import yaml

from stream_detector.metrics import Metrics
from stream_detector.web.server import HealthServer
from support.certificates import CertificateAuthority
from support.processes import ROOT, wait_until
from support.prometheus import Prometheus, as_grafana_asks, shipped_dashboards
from support.web import PASSWORD

pytestmark = pytest.mark.slow

_SCRAPED_SECONDS = 60.0


def example(file: str) -> str:
    """The text of a file that deploy/security.md shows."""
    text = (ROOT / "deploy" / "security.md").read_text()
    found = re.search(rf"^ +# {file}\b.*?(?=^ *$)", text, re.M | re.S)
    assert found is not None
    return dedent(found[0])


def test_prometheus_scrapes_with_tls_and_login_as_security_md_says(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    authority.issue("server", days_left=5)
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(10)).decode()
    web_config = tmp_path / "web.yml"
    web_config.write_text(example("web.yml").replace("$2y$10$...", hashed.replace("$2b$", "$2y$")))
    metrics = Metrics()
    with HealthServer(
        registry=metrics.registry,
        host="127.0.0.1",
        port=0,
        readiness=lambda: (True, "ready"),
        web_config=web_config,
        certificates=metrics.certificates,
    ) as server:
        text = example("prometheus.yml").replace("detector-1:9464", f"127.0.0.1:{server.port}")
        [job] = yaml.safe_load(text.replace("/etc/prometheus", str(tmp_path)))["scrape_configs"]
        stranger = {**job, "job_name": "stranger"}
        del stranger["basic_auth"]
        with Prometheus(tmp_path / "prometheus", [job, stranger]) as prometheus:

            def value(query: str) -> Any:
                found = prometheus.query(query)
                return float(found[0]["value"][1]) if found else None

            wait_until(
                lambda: value('up{job="stranger"}') is not None and value('up{job="detector"}'),
                timeout=_SCRAPED_SECONDS,
                what="both to be scraped",
            )
            assert value('up{job="stranger"}') == 0, "only who logs in is let in"
            alert = 'ALERTS{alertname="CertificateExpiresSoon", certificate="http_server"}'
            wait_until(lambda: value(alert) == 1, timeout=_SCRAPED_SECONDS, what="the alert")
            [panel] = [
                panel
                for panel in shipped_dashboards()["overview"]["panels"]
                if panel["title"] == "Certificates"
            ]
            seconds = value(as_grafana_asks(panel["targets"][0]["expr"]))
            assert round(seconds / 86400) == 5
