"""Docker's engine and Compose; installs and builds them if they are missing."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from commands import Commands, StepFailedError

COMPOSE_MODULE = "github.com/docker/compose/v2"
COMPOSE_VERSION = "v2.40.0"
GO_VERSION = "1.24.9"
"""Fetched if this machine's Go is too old to fetch a newer one by itself."""

_ENGINE_SECONDS = 60
_STOP_SECONDS = 60


def install(commands: Commands, **packages: str) -> None:
    """Install Debian's packages, by name of a program that each has, where it is missing.

    Raises:
        StepFailedError: one is missing and this is not root on Debian.
    """
    missing = sorted({package for name, package in packages.items() if not shutil.which(name)})
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise StepFailedError(f"missing (Debian's names): {', '.join(missing)}; install them")
    commands.tell(f"installing {', '.join(missing)}")
    commands.environment["DEBIAN_FRONTEND"] = "noninteractive"
    commands.output("apt-get", "-qq", "update")
    commands.output("apt-get", "-qq", "-y", "install", "--no-install-recommends", *missing)


@contextmanager
def docker_engine(commands: Commands, cache: Path, work: Path) -> Iterator[bool]:
    """The Docker engine that runs, or else one of our own for the block (root).

    Gives whether it is our own; all that one holds is deleted at the end.
    """
    if commands.succeeds("docker", "info"):
        yield False
        return
    install(commands, dockerd="docker.io", docker="docker.io", iptables="iptables")
    if os.geteuid() != 0:
        raise StepFailedError("no Docker engine runs, and only root can start one")
    socket = f"unix://{work / 'docker.sock'}"
    commands.environment["DOCKER_HOST"] = socket
    data = cache / "docker"
    with (cache / "docker.log").open("w") as log:
        engine = subprocess.Popen(
            [
                *("dockerd", "--host", socket, "--data-root", data),
                *("--exec-root", work / "exec", "--pidfile", work / "docker.pid"),
            ],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        ends = time.monotonic() + _ENGINE_SECONDS
        while not commands.succeeds("docker", "info"):
            if engine.poll() is not None or time.monotonic() > ends:
                raise StepFailedError(f"Docker's engine does not start: see {log.name}")
            time.sleep(1)
        commands.tell("started a Docker engine of its own")
        yield True
    finally:
        engine.terminate()
        try:
            engine.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            engine.kill()
            engine.wait()
        # An engine that is killed too early leaves its mounts behind.
        subprocess.run(["umount", "--recursive", data], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(data, ignore_errors=True)


class ComposeBuild:
    """Compose, built from its Go module in the background, once: ``program`` waits for it."""

    def __init__(self, commands: Commands, cache: Path) -> None:
        self._commands = commands
        self._program = cache / f"docker-compose-{COMPOSE_VERSION}"
        self._part = self._program.with_suffix(".part")
        self._process: subprocess.Popen[str] | None = None
        if self._program.exists():
            return
        # Built inside the module: what its go.mod excludes counts only for a main module.
        folder = _module(commands, COMPOSE_MODULE, COMPOSE_VERSION)
        stamp = f"-s -w -X {COMPOSE_MODULE}/internal.Version={COMPOSE_VERSION}"
        self._process = commands.start(
            *(_go(commands), "build", "-C", folder, "-trimpath", "-ldflags", stamp),
            *("-o", self._part, "./cmd"),
        )

    def program(self) -> Path:
        """The program, when it is built.

        Raises:
            StepFailedError: it can't be.
        """
        if self._process is not None:
            try:
                _, errors = self._process.communicate(timeout=self._commands.remaining())
            except subprocess.TimeoutExpired:
                raise StepFailedError("time is up while Compose is built") from None
            if self._process.returncode != 0:
                raise StepFailedError(f"Compose can't be built:\n{errors[-3000:]}")
            self._part.rename(self._program)
            self._process = None
        return self._program

    def stop(self) -> None:
        """Stop a build that nobody needs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def _go(commands: Commands) -> Path:
    """A Go that can build Compose: since 1.21 Go fetches a newer one if a module requires it."""
    install(commands, go="golang")
    commands.environment |= {"GOTOOLCHAIN": "auto", "GOFLAGS": "-buildvcs=false"}
    found = shutil.which("go")
    if found is None:
        raise StepFailedError("there is no Go")
    version = commands.output(found, "env", "GOVERSION").strip().removeprefix("go")
    if tuple(int(part) for part in version.split(".")[:2]) >= (1, 21):
        return Path(found)
    machine = commands.output(found, "env", "GOARCH").strip()
    version = f"v0.0.1-go{GO_VERSION}.linux-{machine}"
    folder = _module(commands, "golang.org/toolchain", version, go=Path(found))
    # The module cache drops the executable bit.
    for program in [*folder.glob("bin/*"), *folder.glob("pkg/tool/*/*")]:
        program.chmod(0o755)
    return folder / "bin" / "go"


def _module(commands: Commands, module: str, version: str, *, go: Path | None = None) -> Path:
    """The folder of a Go module, fetched through the Go proxy."""
    program = go or _go(commands)
    answer = commands.output(program, "mod", "download", "-json", f"{module}@{version}")
    return Path(json.loads(answer)["Dir"])
