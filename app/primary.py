"""The primary among the hosts of DATABASE_URL, and how connections to it are made.

One connect per host in turn, each within a bound, and from the last primary on: asyncpg
itself would try all of them within one time, which a frozen first host uses up.

The URL is libpq's: several hosts have commas between them, a socket's folder stands in
`host=`, and `sslmode=verify-full&sslrootcert=…` asks for TLS.
"""

import asyncio
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

PATIENCE = 1.0
"""Seconds for one host, if there are several."""

REFUSED = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""What a host looks like that cannot be had; TimeoutError is an OSError."""

OURS = frozenset(("host", "port", "user", "password", "database", "dsn", "timeout"))
"""Parameters that the URL has the say over."""


class NoPrimary(ConnectionRefusedError):
    """Each host answers, and none of them takes changes."""


class Primary:
    """Connects to whichever host of a URL takes changes."""

    def __init__(self, url: str, patience: float | None = None) -> None:
        """Take the URL, and the seconds that a connect may take in all."""
        self._hosts = split(url)
        self._patience = patience
        self._last = 0

    async def connect(self, *_: object, **options: Any) -> Connection:
        """Return a connection to the primary.

        Raises what connecting to the last host raised: REFUSED.
        """
        kept = {name: value for name, value in options.items() if name not in OURS}
        if len(self._hosts) == 1:
            return await self._connected(self._hosts[0], self._patience, kept)
        error: Exception = NoPrimary("no host of DATABASE_URL takes changes")
        for step in range(len(self._hosts)):
            number = (self._last + step) % len(self._hosts)
            try:
                connection = await self._connected(self._hosts[number], PATIENCE, kept)
            except REFUSED as refused:
                error = refused
                continue
            if takes_changes(connection):
                self._last = number
                return connection
            connection.terminate()
        raise error

    @staticmethod
    async def _connected(
        url: str, patience: float | None, options: dict[str, Any]
    ) -> Connection:
        async with asyncio.timeout(patience):
            # The outer bound is ours: asyncpg's own begins anew with TLS given up.
            return await asyncpg.connect(url, **options, timeout=patience or 60)


def takes_changes(connection: Connection) -> bool:
    """Tell whether the host says of itself that it is no standby, and not read-only."""
    told = connection.get_settings()
    return (
        getattr(told, "in_hot_standby", "off") == "off"
        and getattr(told, "default_transaction_read_only", "off") == "off"
    )


def split(url: str) -> list[str]:
    """Return a URL for each host of one with several."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    return [
        parts._replace(netloc=f"{user}{at}{host}").geturl() for host in hosts.split(",")
    ]
