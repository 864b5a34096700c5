"""Write Prometheus' rules as the Prometheus Operator reads them, since kustomize wraps no files.

``python deploy/kubernetes/prometheus_rules.py deploy/kubernetes/base/prometheus-rules.yaml``
"""

import sys
from pathlib import Path

import yaml

_RULES = Path(__file__).parent.parent / "prometheus" / "rules"
_HEAD = """\
# Made by `make dashboards` from deploy/prometheus/rules: change those.
# Needs the Prometheus Operator's custom resources; without it, drop this file from
# kustomization.yaml.
"""


class _Dumper(yaml.SafeDumper):
    """Expressions of several lines stay such."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def main(path: Path) -> None:
    """Write one PrometheusRule with all groups, in the order of the files."""
    groups = [
        group
        for file in sorted(_RULES.glob("*.yml"))
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    ]
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "stream-detector"},
        "spec": {"groups": groups},
    }
    text = yaml.dump(resource, Dumper=_Dumper, sort_keys=False, width=100)
    path.write_text(_HEAD + text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
