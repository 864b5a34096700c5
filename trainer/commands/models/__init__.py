"""``stream-trainer models``: publish bundles, see what is announced and what serves, go back."""

import click

from trainer.commands.models.announcing import promote, publish, rollback
from trainer.commands.models.keys import new_key_command
from trainer.commands.models.listing import list_command, show
from trainer.commands.models.shadowing import shadow
from trainer.commands.models.storing import fetch, prune


@click.group(no_args_is_help=True, short_help="Publish bundles to running workers; go back.")
def models() -> None:
    """Publish bundles, see what is announced and what serves, promote another version, go back.

    A bundle is put into the model store (--model-store: a folder, s3://bucket/models or any other
    URL of fsspec) under its sha256, then announced on the topic url-models. Workers with the same
    --model-store fetch it, check it, warm it up and switch to it, without a stop.

    \b
    export STREAM_DETECTOR_MODEL_STORE=/srv/models
    stream-detector topics create           # the topic url-models too, since a store is set
    stream-detector run                     # a worker that follows it
    stream-trainer gate bundles/url --champion served --data labelled.csv
    stream-trainer models publish bundles/url                 # if the gate passed it
    stream-trainer models list --worker http://localhost:9464
    stream-trainer models rollback               # if it was no good idea
    stream-trainer models shadow bundles/next --share 0.1     # only compared, see shadow report
    stream-trainer models prune             # which versions nobody needs any more
    """


for command in (publish, list_command, show, promote, rollback, fetch, prune, shadow):
    models.add_command(command)
models.add_command(new_key_command)
