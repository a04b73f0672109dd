"""Servers to measure: the service as `serve` runs it, and its rivals."""

import os
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import uvicorn

from app import serve
from app.embedded import die_with_parent
from app.settings import Settings

EMPTY = "benchmarks.rivals:create_empty"
HELLO = "benchmarks.rivals:create_hello"

PATIENCE = 30.0
"""Seconds to start in."""

STOPPING = 15.0
"""Seconds to stop in; then it is killed."""

Serve = Callable[[socket.socket], None]
"""Answers on a socket until a signal says stop."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers: where, and in which process."""

    port: int
    pid: int


class DoesNotStart(Exception):
    """A server ended, or took too long, before it answered."""


def service(
    settings: Settings, workers: int = 1, env: Mapping[str, str] | None = None
) -> Serve:
    """Return the service on a database; its workers read the environment anew."""
    return partial(_serve_service, settings, workers, env or {})


def _serve_service(
    settings: Settings,
    workers: int,
    env: Mapping[str, str],
    listener: socket.socket,
) -> None:
    os.environ |= {**environment(settings), **env}
    url = settings.database_url or ""
    serve.serve(settings, url, None, listener, workers=workers, with_demo=False)


def environment(settings: Settings) -> dict[str, str]:
    """Write the settings that are chosen here as the service reads them."""
    return {
        "DATABASE_URL": settings.database_url or "",
        "FLOATING_IPS_AUTH": settings.auth or "",
        "FLOATING_IPS_DEFAULT_QUOTA": str(settings.default_quota),
        "FLOATING_IPS_DATABASE_POOL_SIZE": str(settings.database_pool_size),
        "FLOATING_IPS_LOCK_TIMEOUT": str(settings.lock_timeout),
        "FLOATING_IPS_REQUEST_TIMEOUT": str(settings.request_timeout),
    }


def command(tree: Path, settings: Settings) -> Serve:
    """Return the service of a source tree, by the command that it has.

    Nothing of that tree is imported here: another version has other modules.
    """
    return partial(_become_command, tree, settings)


def _become_command(tree: Path, settings: Settings, listener: socket.socket) -> None:
    """Give the process to the command, which can bind our port: we never listen."""
    os.chdir(tree)
    argv = [sys.executable, "-m", "app.cli", "serve"]
    argv += ["--port", str(listener.getsockname()[1])]
    os.execve(sys.executable, argv, os.environ | environment(settings))  # noqa: S606


def rival(factory: str) -> Serve:
    """Return an application under uvicorn, with what app.serve sets and nothing more.

    The service's own HTTP protocol is not among it, for that is part of what it costs.
    """
    return partial(_serve_rival, factory)


def _serve_rival(factory: str, listener: socket.socket) -> None:
    config = uvicorn.Config(
        factory,
        factory=True,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
    )
    uvicorn.Server(config).run([listener])


@contextmanager
def started(serving: Serve) -> Iterator[Server]:
    """Run a server in a process of its own, until the block ends."""
    with serve.listen("127.0.0.1", 0) as listener:
        process = get_context("spawn").Process(target=_run, args=(serving, listener))
        process.start()
        port: int = listener.getsockname()[1]
        try:
            deadline = time.monotonic() + PATIENCE
            while not _answers(port):
                if not process.is_alive() or time.monotonic() > deadline:
                    raise DoesNotStart(str(serving))
                time.sleep(0.05)
            yield Server(port, process.pid or 0)
        finally:
            process.terminate()
            process.join(STOPPING)
            process.kill()
            process.join()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return bool(connection.recv(1))
    except OSError:
        return False


def _run(serving: Serve, listener: socket.socket) -> None:
    """Serve; the log is written and thrown away: no disk is to be measured twice."""
    die_with_parent()
    shown = os.dup(sys.stderr.fileno())
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.dup2(nowhere, sys.stderr.fileno())
    try:
        serving(listener)
    except Exception:
        with os.fdopen(shown, "w") as stderr:
            traceback.print_exc(file=stderr)
        raise
