"""A durable Postgres for the length of a run, with as many databases as it needs."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from asyncpg import Record

from app.database import LedgerDatabase, connection
from app.embedded import EmbeddedPostgres
from app.ledger import quotas
from app.settings import Settings

PATIENCE = 3600.0
"""Seconds that one statement of a preparation may take."""

NEVER_REFUSING = 60_000
"""Milliseconds for a request: a crowded machine may be slow, and the run goes on."""

DURABILITY = """
SELECT current_setting('fsync') = 'on' AND current_setting('synchronous_commit') = 'on'
"""

SETTLE = ("VACUUM (ANALYZE)", "CHECKPOINT")


class NotDurable(Exception):
    """This Postgres would acknowledge what a crash takes back."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Postgres that runs."""

    folder: Path
    url: str
    postmaster: int
    version: str

    def settings(
        self,
        database: str = "postgres",
        default_quota: int = quotas.NO_LIMIT,
        connections: int = 16,
    ) -> Settings:
        """Return the settings of a service on one of its databases."""
        return Settings(
            DATABASE_URL=self.url.replace("/postgres?", f"/{database}?"),
            auth="noauth",
            default_quota=default_quota,
            lock_timeout=NEVER_REFUSING,
            request_timeout=NEVER_REFUSING,
            database_pool_size=connections,
        )

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Run statements one by one, each on its own."""
        asyncio.run(_execute(self.settings(database), statements))

    def fetch(
        self, statement: str, *values: object, database: str = "postgres"
    ) -> list[Record]:
        """Return the rows of a statement."""
        return asyncio.run(_fetch(self.settings(database), statement, values))

    def create(self, database: str) -> None:
        """Create an empty database; the names are our own."""
        self.execute(f'CREATE DATABASE "{database}"')

    def settle(self, database: str = "postgres") -> None:
        """Leave nothing to do that would fall into a window."""
        self.execute(*SETTLE, database=database)


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """Start Postgres in a folder, until the block ends.

    Raises NotDurable.
    """
    with EmbeddedPostgres(folder / "data") as postgres:
        settings = Settings(DATABASE_URL=postgres.url)
        pid = (folder / "data/postgres/postmaster.pid").read_text().split()[0]
        version = asyncio.run(_version(settings))
        yield Cluster(folder, postgres.url, int(pid), version)


@contextmanager
def temporary(parent: Path) -> Iterator[Cluster]:
    """Start Postgres in a folder that goes at the end.

    Raises NotDurable.
    """
    with TemporaryDirectory(prefix="floating-ips-bench-", dir=parent) as name:
        folder = Path(name)
        folder.chmod(0o711)  # Postgres may run as somebody else.
        with running(folder) as cluster:
            yield cluster


async def _version(settings: Settings) -> str:
    async with LedgerDatabase(settings) as database, connection(database) as lent:
        if not await lent.fetchval(DURABILITY):
            raise NotDurable
        version: str = await lent.fetchval("SHOW server_version")
        return version


async def _execute(settings: Settings, statements: tuple[str, ...]) -> None:
    database = LedgerDatabase(settings, PATIENCE)
    async with database, connection(database) as lent:
        for statement in statements:
            await lent.execute(statement)


async def _fetch(
    settings: Settings, statement: str, values: tuple[object, ...]
) -> list[Record]:
    database = LedgerDatabase(settings, PATIENCE)
    async with database, connection(database) as lent:
        return await lent.fetch(statement, *values)
