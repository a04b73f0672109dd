from collections.abc import AsyncIterator

import pytest
from httpx import AsyncClient

from app.database import LedgerDatabase, connection
from app.main import create_api, wrap
from app.settings import Settings
from tests.conftest import make_client


@pytest.fixture(params=["without a schema", "not there"])
async def lost(
    request: pytest.FixtureRequest, settings: Settings, database: LedgerDatabase
) -> AsyncIterator[AsyncClient]:
    """A service whose database has nothing in it, or does not exist."""
    async with connection(database) as lent:
        await lent.execute("DROP DATABASE IF EXISTS bare")
        if request.param == "without a schema":
            await lent.execute("CREATE DATABASE bare")
    url = (settings.database_url or "").replace("/postgres?", "/bare?")
    elsewhere = settings.model_copy(update={"database_url": url})
    async with (
        LedgerDatabase(elsewhere) as bare,
        make_client(wrap(create_api(elsewhere, bare)), "joe:demo") as client,
    ):
        yield client


async def test_a_database_that_cannot_serve_is_503_and_no_500(
    lost: AsyncClient,
) -> None:
    for path in ("/readyz", "/os-floating-ips", "/servers.xml"):
        response = await lost.get(path)

        assert response.status_code == 503, path
        assert response.headers["Retry-After"] == "1"


async def test_a_process_that_cannot_serve_is_alive(lost: AsyncClient) -> None:
    assert (await lost.get("/livez")).json() == {"status": "alive"}
