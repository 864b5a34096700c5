"""``stream-trainer models``: publish bundles, list announced and serving ones, go back."""

import click

from stream_detector.commands.command_line import CommandGroup

_COMMANDS = {
    "publish": ("Put a bundle into the store and announce it.", "announcing:publish"),
    "list": ("List the versions, and which of them serve.", "versions:list_command"),
    "show": ("All about one version, as JSON.", "versions:show_command"),
    "promote": ("Announce a version of the store.", "announcing:promote"),
    "rollback": ("Announce the version announced before.", "announcing:rollback"),
    "fetch": ("Copy a version of the store into a folder.", "versions:fetch"),
    "prune": ("Remove versions that nobody needs.", "versions:prune"),
    "shadow": ("Compare a model with the one that serves.", "announcing:shadow"),
    "new-key": ("Make a key to sign models and announcements.", "versions:new_key_command"),
}


@click.group(
    cls=CommandGroup,
    lazy={name: (text, f"trainer.commands.models.{at}") for name, (text, at) in _COMMANDS.items()},
    no_args_is_help=True,
)
def models() -> None:
    """Publish bundles, list announced and serving versions, promote a version, go back.

    `publish` puts a bundle into the model store (--model-store: a folder, s3://bucket/models or any
    other URL of fsspec) under its sha256, then announces it on the topic url-models. Workers with
    the same --model-store fetch it, check it, warm it up and switch to it, without a stop.

    \b
    export STREAM_DETECTOR_MODEL_STORE=/srv/models
    stream-detector topics create           # the topic url-models too, since a store is set
    stream-detector run                     # a worker that follows it
    stream-trainer gate bundles/url --champion served --data labelled.csv
    stream-trainer models publish bundles/url                 # if the gate passed it
    stream-trainer models list --worker http://localhost:9464
    stream-trainer models rollback               # if it was no good idea
    stream-trainer models shadow bundles/next --share 0.1     # only compared, see shadow report
    stream-trainer models prune             # lists the versions that nobody needs
    """
