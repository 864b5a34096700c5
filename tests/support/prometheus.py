"""A real Prometheus, with the settings and rules that are shipped, on short intervals."""

import json
import os
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import yaml

from support.processes import ROOT, ChildProcess, free_port, wait_for_http

__all__ = [
    "FOLDER",
    "Prometheus",
    "as_grafana_asks",
    "promtool",
    "shipped_dashboards",
    "shipped_rules",
]

FOLDER = Path(os.environ.get("PROMETHEUS", ROOT / ".cache" / "prometheus"))
"""Where ``make prometheus`` puts prometheus, promtool and amtool."""

_SHIPPED = ROOT / "deploy" / "prometheus"
_START_SECONDS = 60.0


def shipped_rules() -> list[dict[str, Any]]:
    """All rules, recordings and alerts, in the order of the files."""
    return [
        rule
        for path in sorted((_SHIPPED / "rules").glob("*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


def shipped_dashboards() -> dict[str, dict[str, Any]]:
    """Grafana's dashboards, by the name of the file."""
    folder = ROOT / "deploy" / "grafana" / "dashboards"
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def as_grafana_asks(query: str, *, job: str | None = None) -> str:
    """``query`` with an interval and with all selected, or with ``job`` in place of the jobs."""
    values = {"job": job or "detector", "trainer_job": job or "trainer", "__rate_interval": "15s"}
    return re.sub(r"\$(\w+)", lambda found: values.get(found[1], ".+"), query)


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the promtool that came with Prometheus."""
    return subprocess.run(
        [FOLDER / "promtool", *arguments], capture_output=True, text=True, check=False
    )


class Prometheus:
    """Scrapes what it is told to, every second. Use it as a context manager."""

    def __init__(self, folder: Path, scrape_configs: Sequence[Mapping[str, Any]]) -> None:
        """Settings, data and output go to ``folder``."""
        self.url = f"http://127.0.0.1:{free_port()}"
        folder.mkdir()
        settings = yaml.safe_load((_SHIPPED / "prometheus.yml").read_text())
        settings["global"] = {
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "evaluation_interval": "1s",
        }
        settings["rule_files"] = [str(_SHIPPED / name) for name in settings["rule_files"]]
        settings["scrape_configs"] = list(scrape_configs)
        file = folder / "prometheus.yml"
        file.write_text(yaml.safe_dump(settings))
        self._command = [
            str(FOLDER / "prometheus"),
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={self.url.removeprefix('http://')}",
        ]
        self._log = folder / "prometheus.log"

    def __enter__(self) -> Self:
        self._process = ChildProcess(self._command, log=self._log)
        wait_for_http(self._process, f"{self.url}/-/ready", timeout=_START_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What ``expression`` is now, by series."""
        result: list[dict[str, Any]] = self._ask("query", query=expression)["result"]
        return result

    def query_range(
        self, expression: str, *, start: float, end: float, step: float
    ) -> list[dict[str, Any]]:
        """What ``expression`` was from ``start`` to ``end``, by series; all in seconds."""
        parts = {"start": str(start), "end": str(end), "step": str(step)}
        result: list[dict[str, Any]] = self._ask("query_range", query=expression, **parts)["result"]
        return result

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its health."""
        return [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]

    def label_values(self, selector: str, label: str) -> list[str]:
        """Values that ``label`` has in the series of ``selector``."""
        values: list[str] = self._ask(f"label/{label}/values", **{"match[]": selector})
        return values

    def _ask(self, what: str, **parts: str) -> Any:
        url = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(parts)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parts.get('query')}: {error.read().decode()}") from error
        assert answer["status"] == "success"
        return answer["data"]
