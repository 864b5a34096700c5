"""Write ``urls.csv.gz`` of this folder: ``python data/labelled/generate.py``.

The same seed gives the same rows. See README.md.
"""

import csv
import gzip
import io
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from trainer.generated.ordinary import generate_ordinary
from trainer.generated.private_networks import generate_private

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent / "samples"))

from generate import Generator  # type: ignore[import-not-found] # noqa: E402 - of the samples

SEED = 20_261_124
ORDINARY, PRIVATE, VISITED, MALICIOUS = 3500, 2500, 1000, 2000


def rows() -> Iterator[tuple[str, int, str]]:
    """URL, label and source; every URL once."""
    visits = Generator(SEED)
    made = [
        *((url, 0, "ordinary") for url in generate_ordinary(ORDINARY, kind="url", seed=SEED)),
        *((url, 0, "private") for url in generate_private(PRIVATE, kind="url", seed=SEED)),
        *((visits.ordinary_url(), 0, "visited") for _ in range(VISITED)),
        *(
            (url, 1, f"made-up-{malice}")
            for malice, url in (visits.malicious_url() for _ in range(MALICIOUS))
        ),
    ]
    random.Random(SEED).shuffle(made)  # noqa: S311 - guards nothing
    seen: set[str] = set()
    for row in made:
        if row[0] not in seen:
            seen.add(row[0])
            yield row


def write(path: Path) -> None:
    """Write the file; the same bytes each time."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("url", "label", "source"))
    table.writerows(rows())
    path.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


if __name__ == "__main__":
    write(FOLDER / "urls.csv.gz")
