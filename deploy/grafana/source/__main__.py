"""Write the dashboards as Grafana reads them: ``python deploy/grafana/source FOLDER``."""

import json
import sys
from pathlib import Path

import yaml
from dashboards import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

_SOURCE = Path(__file__).parent


def main(folder: Path) -> None:
    """Write one JSON file for each YAML file, with the panels numbered in order."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(_SOURCE.glob("*.yaml")):
        made = dashboard(**yaml.safe_load(path.read_text(encoding="utf-8"))).build()
        for variable in made.templating.list_val:
            # The SDK writes what only an interval variable has; Grafana's schema refuses it here.
            variable.auto = variable.auto_min = variable.auto_count = None
        for number, panel in enumerate(made.panels or [], start=1):
            panel.id_val = number
            if panel.type_val == "table":
                panel.options.footer = None  # Grafana 12 moved it; the SDK has not followed yet.
        text = json.dumps(made, cls=JSONEncoder, indent=2, sort_keys=True)
        (folder / f"{path.stem}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
