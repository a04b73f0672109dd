"""The service as processes: its socket, its workers, and a Postgres of its own."""

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from types import FrameType
from typing import cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from app import demo, metrics, migrations
from app.connections import Connection
from app.database import LedgerDatabase
from app.embedded import EmbeddedPostgres, die_with_parent
from app.faces.health import STOPPING
from app.main import create_app
from app.observability import configure_logging
from app.settings import Settings

WELCOME = """
Floating IPs listens on {url}
  Swagger UI  {url}/docs   (Authorize with {token})
  curl        curl -X POST -H {header} {url}/os-floating-ips
"""
NOAUTH = {"token": "the token admin:demo", "header": "'X-Auth-Token: admin:demo'"}
KEYSTONE = {
    "token": "a token of Keystone",
    "header": '"X-Auth-Token: $(openstack token issue -f value -c id)"',
}

GRACE = 10
"""Seconds that requests under way have when the service is told to stop."""

SILENCE = 30
"""Seconds that one of several workers may be silent before it is replaced.

On a busy machine a worker needs more than uvicorn's five to start: none would ever be.
"""


GARBAGE = 20_000
"""Objects that may be made, beyond those that are gone again, between two looks."""


class CannotServe(Exception):
    """Why the service does not start, in a sentence for the operator."""


def check_exposure(settings: Settings, host: str) -> None:
    """Refuse to be open by accident.

    Raises CannotServe.
    """
    if settings.database_url and settings.auth is None:
        raise CannotServe(
            "DATABASE_URL is set and FLOATING_IPS_AUTH is not: say how callers are "
            "known (noauth believes whatever they say)."
        )
    believes = settings.auth != "keystone" and not settings.allow_insecure
    if believes and not _is_loopback(host):
        raise CannotServe(
            f"With FLOATING_IPS_AUTH=noauth the service listens on loopback alone, not "
            f"on {host}; FLOATING_IPS_ALLOW_INSECURE=true lifts that."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """Open the socket that all workers share; port 0 takes any that is free.

    Raises CannotServe.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise CannotServe(
            f"Cannot listen on {host} port {port}: {error.strerror}."
        ) from None
    return listener


def serve(
    settings: Settings,
    url: str,
    postgres: EmbeddedPostgres | None,
    listener: socket.socket,
    *,
    workers: int,
    with_demo: bool,
) -> None:
    """Bring the schema up to date and answer requests until a signal says stop.

    Workers read their settings from the environment, so what was decided here is put
    there.
    """
    configure_logging(settings.log_level)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    migrations.upgrade(url)
    # A service that starts its own Postgres may go without: it is on loopback alone.
    auth = settings.auth or "noauth"
    os.environ["FLOATING_IPS_AUTH"] = auth
    if postgres:
        os.environ["DATABASE_URL"] = url
    settings = settings.model_copy(update={"database_url": url, "auth": auth})
    if with_demo:
        asyncio.run(_fill(settings))
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    how = KEYSTONE if auth == "keystone" else NOAUTH
    print(WELCOME.format(url=f"http://{shown}:{port}", **how), flush=True)
    watch = postgres.keep_alive if postgres else _nothing
    config = _config(settings, workers)
    if workers == 1:
        _Server(config, watch, settings.drain).run([listener])
    else:
        with metrics.shared_by_workers():
            _Workers(config, [listener], watch).run()


def _leave(_number: int, _frame: FrameType | None) -> None:
    """End in good order; uvicorn raises its signals again once it has drained."""
    raise SystemExit(0)


async def _fill(settings: Settings) -> None:
    async with LedgerDatabase(settings) as database:
        await demo.fill(database, settings.default_pool)


def _nothing() -> None:
    """Watch no Postgres: it is somebody else's."""


def _config(settings: Settings, workers: int) -> uvicorn.Config:
    protocol = partial(Connection, patience=settings.client_timeout / 1000)
    return uvicorn.Config(
        "app.serve:create_worker",
        factory=True,
        workers=workers,
        loop="uvloop",
        http=cast("type[asyncio.Protocol]", protocol),  # It is only called.
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # Only `links` reads them, and only if it may.
        timeout_graceful_shutdown=GRACE,
        timeout_worker_healthcheck=SILENCE,
    )


def create_worker() -> ASGIApp:
    """Build the application in a process that ends when its parent does."""
    die_with_parent()
    app = create_app()
    _spare_the_collector()
    return app


def _spare_the_collector() -> None:
    """Look for garbage in cycles less often, and never among what stays for good.

    A request makes hundreds of objects and next to no cycles, while routes and models
    are a hundred thousand.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)


class _Server(uvicorn.Server):
    """One worker in this very process, which watches Postgres between requests.

    Postgres is started again from the main thread: its death signal follows the thread.
    """

    def __init__(
        self, config: uvicorn.Config, watch: Callable[[], None], drain: int
    ) -> None:
        super().__init__(config)
        self._watch = watch
        self._drain = drain

    async def on_tick(self, counter: int) -> bool:
        """Do what is due ten times a second."""
        if counter % 3 == 0:
            self._watch()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Go on serving until balancers have seen /readyz refuse, then stop.

        A listener that closes resets the connections that nobody has accepted yet.
        """
        self.lifespan.state[STOPPING] = True
        await asyncio.sleep(self._drain)
        await super().shutdown(sockets)


class _Workers(Multiprocess):
    """Several workers behind one socket; their parent watches Postgres."""

    def __init__(
        self,
        config: uvicorn.Config,
        sockets: list[socket.socket],
        watch: Callable[[], None],
    ) -> None:
        super().__init__(config, sockets)
        self._watch = watch

    def keep_subprocess_alive(self) -> None:
        """Do what is due twice a second.

        While the parent, too, holds the worker's end of a pipe, it waits all of SILENCE
        for the answer of a worker that was killed, and heeds no signal.
        """
        self._watch()
        for process in self.processes:
            process.child_conn.close()
        super().keep_subprocess_alive()
