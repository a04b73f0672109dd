"""A Postgres, a proxy in front of it, and a service that knows the proxy alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from app.embedded import EmbeddedPostgres
from tests.proxy import Proxy, proxied
from tests.service import Service, command, serving

WORKERS = "2"


@dataclass(frozen=True, slots=True)
class Site:
    """What stands behind each other."""

    postgres: EmbeddedPostgres
    proxy: Proxy
    service: Service

    def rss(self) -> int:
        """Return the memory of all workers, in KiB."""
        return sum(map(rss, self.service.workers() or [self.service.process.pid]))

    def check(self) -> None:
        """Audit the ledger."""
        audit = command("check", DATABASE_URL=self.postgres.url)
        assert audit.returncode == 0, audit.stdout + audit.stderr

    async def fetch(self, statement: str) -> asyncpg.Record:
        """Ask Postgres itself, past the proxy."""
        connection = await asyncpg.connect(self.postgres.url)
        try:
            (row,) = await connection.fetch(statement)
            return row
        finally:
            await connection.close()

    async def execute(self, *statements: str) -> None:
        connection = await asyncpg.connect(self.postgres.url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


def rss(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


@contextmanager
def site(data_dir: Path, *options: str, **env: str) -> Iterator[Site]:
    with EmbeddedPostgres(data_dir) as postgres:
        for arguments in (
            ("migrate",),
            ("pool", "add", "public", "198.18.0.0/18"),
        ):
            assert command(*arguments, DATABASE_URL=postgres.url).returncode == 0
        with (
            proxied(postgres.url) as proxy,
            serving(
                None,
                *options,
                DATABASE_URL=proxy.url,
                FLOATING_IPS_AUTH="noauth",
                FLOATING_IPS_DEFAULT_QUOTA="-1",
                **env,
            ) as service,
        ):
            yield Site(postgres, proxy, service)


@pytest.fixture(scope="session")
def shared(folder: Path) -> Iterator[Site]:
    with site(folder / "faults") as made:
        yield made


@pytest.fixture(scope="session")
def with_workers(folder: Path) -> Iterator[Site]:
    with site(folder / "workers", "--workers", WORKERS) as made:
        yield made
