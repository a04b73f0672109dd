"""The way to the database: which of several hosts, and TLS."""

import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from httpx import AsyncClient

from app import migrations
from app.database import LedgerDatabase, connection
from app.main import create_api, wrap
from app.primary import NoPrimary, Primary, split
from app.settings import Settings
from tests import make
from tests.conftest import make_client
from tests.proxy import Fault, Proxy, proxied
from tests.service import command


@pytest.fixture
def first(settings: Settings) -> Iterator[Proxy]:
    with proxied(settings.database_url or "") as proxy:
        yield proxy


@pytest.fixture
def second(settings: Settings) -> Iterator[Proxy]:
    with proxied(settings.database_url or "") as proxy:
        yield proxy


def both(first: Proxy, second: Proxy) -> str:
    """Return a URL of two hosts, that of the second proxy last."""
    parts = urlsplit(first.url)
    hosts = f"{parts.netloc},127.0.0.1:{second.port}"
    return parts._replace(netloc=hosts).geturl()


@asynccontextmanager
async def over(settings: Settings, url: str) -> AsyncIterator[AsyncClient]:
    """A member of `demo`, of a service on the database behind the URL."""
    changed = settings.model_copy(update={"database_url": url, "request_timeout": 2500})
    async with (
        LedgerDatabase(changed) as database,
        make_client(wrap(create_api(changed, database)), "joe:demo") as client,
    ):
        yield client


def test_each_host_has_a_url_of_its_own() -> None:
    assert split("postgresql://u:p@a:1,b,[::1]:3/db?sslmode=require") == [
        "postgresql://u:p@a:1/db?sslmode=require",
        "postgresql://u:p@b/db?sslmode=require",
        "postgresql://u:p@[::1]:3/db?sslmode=require",
    ]


@pytest.mark.parametrize("fault", [Fault.REFUSE, Fault.HANG])
async def test_a_host_that_is_away_or_frozen_is_passed_by(
    settings: Settings,
    database: LedgerDatabase,
    first: Proxy,
    second: Proxy,
    fault: Fault,
) -> None:
    await make.pool(database)
    first.arm(fault)
    async with over(settings, both(first, second)) as client:
        began = time.monotonic()
        assert (await client.post("/os-floating-ips")).status_code == 200
        assert time.monotonic() - began < 2.5
        asked = first.connections
        for _ in range(5):
            assert (await client.get("/os-floating-ips")).status_code == 200
        assert first.connections == asked


async def test_when_the_primary_goes_away_the_other_host_is_asked(
    settings: Settings, database: LedgerDatabase, first: Proxy, second: Proxy
) -> None:
    await make.pool(database)
    async with over(settings, both(first, second)) as client:
        assert (await client.post("/os-floating-ips")).status_code == 200
        assert second.connections == 0
        first.arm(Fault.REFUSE)
        statuses = [(await client.get("/os-floating-ips")).status_code]
        while statuses[-1] != 200 and len(statuses) < 20:
            statuses.append((await client.get("/os-floating-ips")).status_code)

    assert statuses[-1] == 200
    assert set(statuses) <= {200, 503}
    assert second.connections > 0


READ_ONLY = "ALTER DATABASE postgres SET default_transaction_read_only = {}"


async def test_a_database_that_takes_no_changes_is_not_ready(
    settings: Settings, database: LedgerDatabase, first: Proxy
) -> None:
    await make.execute(database, READ_ONLY.format("on"))
    try:
        async with over(settings, first.url) as client:
            ready = await client.get("/readyz")
            change = await client.post("/os-floating-ips")
        async with over(settings, both(first, first)) as client:
            nowhere = await client.get("/readyz")
        with pytest.raises(NoPrimary):
            await Primary(both(first, first)).connect()
    finally:
        async with connection(database) as lent:
            await lent.execute("SET default_transaction_read_only = off")
            await lent.execute(READ_ONLY.format("off"))

    assert ready.status_code == change.status_code == nowhere.status_code == 503
    assert "takes no changes" in ready.json()["serviceUnavailable"]["message"]
    async with over(settings, first.url) as client:
        assert (await client.get("/readyz")).status_code == 200


async def test_an_older_schema_is_not_ready_and_a_newer_one_is(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    version = "UPDATE alembic_version SET version_num = $1"
    try:
        await make.execute(database, version, "0001")
        older = await client.get("/readyz")
        await make.execute(database, version, "9999")
        newer = await client.get("/readyz")
    finally:
        await make.execute(database, version, migrations.head())

    assert older.status_code == 503
    told = older.json()["serviceUnavailable"]["message"]
    assert "0001" in told
    assert "floating-ips migrate" in told
    assert newer.status_code == 200


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def over_tls(authority: trustme.CA, settings: Settings) -> Iterator[Proxy]:
    """The database behind TLS, with a certificate for `localhost`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with proxied(settings.database_url or "", context) as proxy:
        yield proxy


def verified(proxy: Proxy, host: str, authority: trustme.CA, folder: Path) -> str:
    file = folder / f"{authority.cert_pem.bytes()[-40:-28].hex()}.pem"
    authority.cert_pem.write_to_path(str(file))
    return f"{proxy.url_at(host)}?sslmode=verify-full&sslrootcert={file}"


async def test_the_database_is_asked_over_verified_tls(
    settings: Settings, over_tls: Proxy, authority: trustme.CA, folder: Path
) -> None:
    url = verified(over_tls, "localhost", authority, folder)
    async with over(settings, url) as client:
        assert (await client.get("/readyz")).status_code == 200
    migrated = command("migrate", DATABASE_URL=url)

    assert migrated.returncode == 0, migrated.stderr


async def test_a_database_that_proves_not_who_it_is_is_not_asked(
    settings: Settings,
    over_tls: Proxy,
    first: Proxy,
    authority: trustme.CA,
    folder: Path,
) -> None:
    """Another name, another authority, or no TLS at all."""
    for url in (
        verified(over_tls, "127.0.0.1", authority, folder),
        verified(over_tls, "localhost", trustme.CA(), folder),
        verified(first, "localhost", authority, folder),
    ):
        async with over(settings, url) as client:
            response = await client.get("/readyz")

        assert response.status_code == 503, url
        assert "certificate" not in response.text
