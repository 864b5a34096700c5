"""``stream-trainer models new-key``."""

from pathlib import Path

import click

from trainer.console import tell


@click.command("new-key", short_help="Make a key to sign models and announcements.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def new_key_command(file: Path) -> None:
    """Make an Ed25519 key in FILE, and its public half in FILE.pub.

    FILE stays with whoever publishes; FILE.pub goes to the workers.

    \b
    stream-trainer models new-key models.key
    stream-trainer models publish bundles/url --signing-key models.key
    stream-detector run --model-store /srv/models --model-public-key models.key.pub
    """
    from stream_detector.models.signing import new_key  # noqa: PLC0415

    public = new_key(file)
    tell(f"private: {file} (keep it secret); public, for the workers: {public}")
