"""The way to Postgres: connections with a deadline, and the transaction.

Isolation is READ COMMITTED. Rows are locked in one order, everywhere:

    idempotency key → quota share → pool → address (a floating IP is its held address)
    → server → fixed IP → history

Several rows of one kind are locked by id, addresses by address. Where only a child is
known, its parents are read without a lock, then all are locked in order, then checked
again. Nobody waits for an idempotency key: whoever does not get it is refused.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NewType, Self, TypeAlias

import asyncpg
from databases import Database

from app import metrics
from app.errors import Busy, DatabaseUnavailable, SchemaMissing
from app.primary import Primary
from app.settings import Settings

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

Tx = NewType("Tx", Connection)
"""A connection inside a transaction. Only `transaction` and `snapshot` make one."""

WAITED_TOO_LONG = (
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.QueryCanceledError,
)
CONNECTION_LOST = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""What a lost, refused, full, cut or demoted server looks like.

TimeoutError is an OSError.

InternalClientError can surface in a failover: asyncpg then meets an answer in a state
that expects none.
"""

CLOCK_WENT_BACK = "quarantine_is_kept"
"""The constraint that stands in the way of an address whose time was over a moment ago,
and is not any more."""


ELSEWHERE = "postgresql://"
"""What `databases` wants of a URL; `Primary` knows the hosts."""


async def _keep_as_it_is(_connection: Connection) -> None:
    """Stand in for asyncpg's reset query, a round trip at every release.

    Nothing here leaves session state behind: no SET, no LISTEN, no session locks.
    """


class LedgerDatabase(Database):
    """The pool of connections, and how long one request may hold one of them."""

    def __init__(self, settings: Settings, deadline: float | None = None) -> None:
        self.deadline = deadline or settings.request_timeout / 1000
        """Seconds: the settings' for requests; commands have longer work to do."""
        primary = Primary(settings.database_url or "", self.deadline)
        options: dict[str, Any] = {
            "min_size": 0,
            "max_size": settings.database_pool_size,
            "connect": primary.connect,
            "reset": _keep_as_it_is,
            "command_timeout": self.deadline,
            "server_settings": {
                "application_name": "floating-ips",
                "default_transaction_isolation": "read committed",
                "jit": "off",
                "lock_timeout": str(settings.lock_timeout),
                "statement_timeout": str(round(self.deadline * 1000)),
                "timezone": "UTC",
            },
        }
        super().__init__(ELSEWHERE, **options)

    async def __aenter__(self) -> Self:
        """Open the pool; connections are made when they are needed."""
        await self.connect()
        return self


@asynccontextmanager
async def connection(
    database: LedgerDatabase, until: float | None = None
) -> AsyncIterator[Connection]:
    """Lend a connection until the block ends or the deadline has passed.

    At the deadline the connection is cut, which a server that has stopped answering
    cannot delay; a statement under way then fails at once. The deadline is a time of
    the loop; without one it is the database's, from now on.

    Raises Busy, DatabaseUnavailable, SchemaMissing.
    """
    loop = asyncio.get_running_loop()
    deadline = until or loop.time() + database.deadline
    holder = database.connection()
    began = loop.time()
    try:
        async with asyncio.timeout_at(deadline):
            await holder.__aenter__()
        metrics.DATABASE_WAIT.observe(loop.time() - began)
        try:
            lent: Connection = holder.raw_connection
            cut = loop.call_at(deadline, lent.terminate)
            try:
                yield lent
            finally:
                cut.cancel()
        finally:
            await holder.__aexit__()
    except WAITED_TOO_LONG as error:
        raise Busy from error
    except asyncpg.IntegrityConstraintViolationError as violation:
        if violation.constraint_name != CLOCK_WENT_BACK:
            raise
        raise Busy from violation
    except CONNECTION_LOST as error:
        raise DatabaseUnavailable from error
    except asyncpg.UndefinedTableError as error:
        raise SchemaMissing from error


@asynccontextmanager
async def transaction(
    database: LedgerDatabase, until: float | None = None
) -> AsyncIterator[Tx]:
    """Commit when the block ends, roll back when it raises.

    This goes around `Database.transaction`, which leaks its connection when it is
    cancelled, or when COMMIT fails.

    Raises Busy, DatabaseUnavailable.
    """
    async with connection(database, until) as lent, lent.transaction():
        yield Tx(lent)


@asynccontextmanager
async def snapshot(database: LedgerDatabase) -> AsyncIterator[Tx]:
    """Read several statements as of one moment, without a lock.

    Raises Busy, DatabaseUnavailable.
    """
    async with (
        connection(database) as lent,
        lent.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield Tx(lent)
