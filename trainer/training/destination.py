"""What a training would replace: a bundle of another model, or a training that was stopped."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream_detector.errors import BundleError
from stream_detector.models.files import MANIFEST_NAME, read_bundle_file
from stream_detector.models.manifest import decode_manifest

if TYPE_CHECKING:
    from stream_detector.events import Kind

__all__ = ["check_nothing_lost", "checkpoint_of"]


def checkpoint_of(output: Path) -> Path:
    """Where a training of the bundle ``output`` keeps the epochs that are done."""
    return output.with_name(f"{output.name}-training.safetensors")


def check_nothing_lost(
    output: Path, *, name: str, kind: "Kind", family: str, resume: bool
) -> str | None:
    """Refuse a training that would replace another model or drop one that was stopped.

    Returns a sentence on the bundle of the same model that it replaces; None where there is none.

    Raises:
        click.UsageError: something would be lost.
    """
    checkpoint = checkpoint_of(output)
    if checkpoint.exists() and not resume:
        raise click.UsageError(
            f"{checkpoint} holds a training that was stopped: go on with --resume, or begin again "
            "with --overwrite"
        )
    path = output / MANIFEST_NAME
    if not path.exists():
        return None  # ``check_destination`` refuses a folder that holds anything else.
    try:
        there = decode_manifest(read_bundle_file(output, MANIFEST_NAME), path)
    except BundleError as error:  # For all we know it is another model.
        raise click.UsageError(
            f"{error}: give another --output, or replace it with --overwrite"
        ) from error
    said = f"{output} holds the {there.kind} model {there.name} {there.version}"
    if (there.name, there.kind, there.architecture) != (name, kind, family):
        raise click.UsageError(
            f"{said} ({there.architecture}), which is another model: give another --output, or "
            "replace it with --overwrite"
        )
    return f"{said}: this training replaces it"
