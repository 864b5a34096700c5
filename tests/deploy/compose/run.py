"""``make compose-test``: build and start the services of docker-compose.yml, and check them.

Where no Docker runs, it installs Debian's and starts it for the run (root). It builds the images
instead of pulling them: a base by debootstrap, Kafka from the jars of ``make kafka``, Prometheus
from Debian; it leaves out Grafana. It builds Compose from its Go module. The run ends within 25
minutes, removes the services, and leaves its log and the built Compose in ``.cache/compose-test``.

Needs nothing but Python's standard library. Exits with 0 if every check passed, else 1.
"""

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from checks import Checks
from commands import Commands, StepFailedError
from images import PROJECT, build_images, delete_images, make_base, sizes
from machine import COMPOSE_VERSION, ComposeBuild, docker_engine

_SECONDS_MAX = 25 * 60
_TAKE_DOWN_SECONDS = 90
_FOLDER = Path(__file__).resolve().parents[3]


def main() -> None:
    """The whole run."""
    os.chdir(_FOLDER)
    # On SIGTERM (CI's own limit) it takes everything down, as after an error.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("compose-test: terminated"))
    cache = _FOLDER / ".cache" / "compose-test"
    cache.mkdir(parents=True, exist_ok=True)
    # Short: the path of a socket may have 107 characters.
    work = Path(tempfile.mkdtemp(prefix="compose-test-"))
    commands = Commands(
        cache / "log", _SECONDS_MAX - _TAKE_DOWN_SECONDS, {**os.environ, "DOCKER_BUILDKIT": "0"}
    )
    try:
        with docker_engine(commands, cache, work) as own:
            try:
                _run(commands, cache, work)
            finally:
                if not own:
                    commands.extend(_TAKE_DOWN_SECONDS / 3)
                    delete_images(commands)
    except StepFailedError as error:
        sys.exit(f"compose-test: FAILED: {error}\n(all output: {cache / 'log'})")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    commands.tell("all checks passed; all services are removed")


def _run(commands: Commands, cache: Path, work: Path) -> None:
    """Build, check, take down."""
    commands.tell(f"building Compose {COMPOSE_VERSION} and the images")
    build = ComposeBuild(commands, cache)
    try:
        make_base(commands, work)
        commands.tell("made the base image")
        build_images(commands, _FOLDER)
        commands.tell(f"built the images: {sizes(commands)}")
        _check(commands, build.program())
    finally:
        build.stop()


def _check(commands: Commands, program: Path) -> None:
    """Start, check, take down. If a check fails, the log gets the output of the services."""
    compose: list[str | Path] = [
        *(program, "--project-directory", ".", "--project-name", PROJECT),
        *("--file", "docker-compose.yml", "--file", "tests/deploy/compose/docker-compose.yml"),
    ]
    commands.tell("bringing all up")
    try:
        Checks(commands, compose).run()
    except BaseException:
        commands.extend(_TAKE_DOWN_SECONDS / 3)
        commands.succeeds(*compose, "--profile", "*", "logs", "--no-color", "--tail", "50")
        raise
    finally:
        commands.extend(_TAKE_DOWN_SECONDS / 3)
        commands.succeeds(
            *(*compose, "--profile", "*", "down", "--volumes", "--remove-orphans"),
            *("--timeout", "15"),
        )


if __name__ == "__main__":
    main()
