"""Write the dashboards as Grafana reads them: ``python deploy/grafana/source FOLDER``."""

import json
import sys
from pathlib import Path

from detection import detection
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from model import model
from overview import overview
from training import training

_DASHBOARDS = {
    "overview": overview,
    "detection": detection,
    "model": model,
    "trainer": training,
}


def main(folder: Path) -> None:
    """One file a dashboard, with panels numbered in order."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, made in _DASHBOARDS.items():
        dashboard = made().build()
        for variable in dashboard.templating.list_val:
            # Of intervals, of which there are none; Grafana's schema has no definition.
            variable.auto = variable.auto_min = variable.auto_count = None
        for number, panel in enumerate(dashboard.panels or [], start=1):
            panel.id_val = number
            if panel.type_val == "table":
                panel.options.footer = None  # Grafana 12 has it elsewhere; the SDK not yet.
        text = json.dumps(dashboard, cls=JSONEncoder, indent=2, sort_keys=True)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
