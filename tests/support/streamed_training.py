"""``python -m support.streamed_training FILE BUFFER_ROWS``: how much memory does a training take?

In a process of its own, whose peak is that of the training. Prints, as JSON, the rows that were
trained on and the peak of resident memory in MiB.
"""

import json
import sys
import tempfile
from pathlib import Path

from stream_detector.models.architectures.bilstm import BiLstm
from trainer.examples.labelled import Examples
from trainer.training.fitting import fit
from trainer.training.recipe import Recipe
from trainer.training.streaming import streamed


def peak_mib():
    """Of this process alone: what ``getrusage`` gives has its parent's in it."""
    (line,) = [
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM:")
    ]
    return int(line.split()[1]) / 1024


def main():
    """Train for two epochs; print."""
    path, buffer_rows = Path(sys.argv[1]), int(sys.argv[2])
    examples = Examples(files=(path,))
    with (
        tempfile.TemporaryDirectory(dir=path.parent) as folder,
        streamed(examples, "url", folder=Path(folder), buffer_rows=buffer_rows, seed=1) as data,
    ):
        fit(
            # Every URL is cut to the same length: one shape is compiled.
            BiLstm(length_max=8, embedding=2, units=2, hidden=2),
            data.train,
            data.held.of_part("val"),
            Recipe(epochs=2, batch_size=1024),
            kind="url",
            on_step=lambda *_: None,
            on_epoch=lambda _: None,
        )
        json.dump({"rows": data.train.rows, "peak_mib": peak_mib()}, sys.stdout)


if __name__ == "__main__":
    main()
