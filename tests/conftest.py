"""One Postgres per test worker, migrated once; every test begins with no rows."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp

from app import migrations
from app.database import LedgerDatabase, connection
from app.embedded import EmbeddedPostgres
from app.main import create_api, wrap
from app.settings import Settings
from tests import make
from tests.compute_schemas import check_compute_answer
from tests.xml_schemas import check_answer

collect_ignore = [] if os.geteuid() == 0 else ["test_embedded_as_root.py"]

for name in [name for name in os.environ if name.startswith("FLOATING_IPS_")]:
    if name != "FLOATING_IPS_PG_BINDIR":
        del os.environ[name]
os.environ.pop("DATABASE_URL", None)

EMPTY = """
TRUNCATE history, addresses, former_addresses, floating_ip_tags, fixed_ips, servers,
         quota_shares, quotas, pool_counts, pool_networks, pools, idempotency_keys
         RESTART IDENTITY;
ALTER SEQUENCE floating_ip_ids RESTART
"""


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder that the account of an embedded Postgres can reach as well."""
    path = Path(tempfile.mkdtemp(prefix="fip-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(folder: Path) -> Iterator[EmbeddedPostgres]:
    bindir = os.environ.get("FLOATING_IPS_PG_BINDIR")
    with EmbeddedPostgres(
        folder / "postgres", Path(bindir) if bindir else None, fsync=False
    ) as server:
        migrations.upgrade(server.url)
        yield server


@pytest.fixture(scope="session")
def settings(postgres: EmbeddedPostgres) -> Settings:
    return Settings(DATABASE_URL=postgres.url, auth="noauth", request_timeout=10_000)


@pytest.fixture(scope="session")
async def connected(settings: Settings) -> AsyncIterator[LedgerDatabase]:
    async with LedgerDatabase(settings) as database:
        yield database


@pytest.fixture
async def database(connected: LedgerDatabase) -> LedgerDatabase:
    """The database of the test, without a row."""
    async with connection(connected) as lent:
        await lent.execute(EMPTY)
    return connected


@pytest.fixture
def api(settings: Settings, database: LedgerDatabase) -> FastAPI:
    """An application of the test's own, which it may change."""
    return create_api(settings, database)


@pytest.fixture(scope="session")
def shared(settings: Settings, connected: LedgerDatabase) -> ASGIApp:
    return wrap(create_api(settings, connected))


@pytest.fixture
def app(shared: ASGIApp, database: LedgerDatabase) -> ASGIApp:
    """The application of all tests, which none changes, on an empty database."""
    return shared


@pytest.fixture
def alone(request: pytest.FixtureRequest) -> bool:
    """Whether each change has a key of its own, and so a transaction of its own."""
    return getattr(request, "param", False)


@pytest.fixture
async def client(app: ASGIApp, alone: bool) -> AsyncIterator[httpx.AsyncClient]:
    """A member of the project `demo`."""
    async with make_client(app, "joe:demo", alone=alone) as client:
        yield client


@pytest.fixture
async def admin(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """An admin, of the project `demo`."""
    async with make_client(app, "admin:demo") as client:
        yield client


@pytest.fixture
async def stranger(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """A member of the project `other`."""
    async with make_client(app, "eve:other") as client:
        yield client


def make_client(app: ASGIApp, token: str, *, alone: bool = False) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(
        transport=transport,
        base_url="http://floating-ips",
        headers={"X-Auth-Token": token},
        event_hooks={
            "request": [make.add_key] if alone else [],
            "response": [check_answer, check_compute_answer],
        },
    )
