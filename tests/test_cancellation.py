import asyncio
import random

from httpx import AsyncClient
from starlette.types import ASGIApp

from app.database import LedgerDatabase, connection
from app.settings import Settings
from tests import make
from tests.conftest import make_client

IN_TRANSACTION = """
SELECT count(*)
  FROM pg_stat_activity
 WHERE application_name = 'floating-ips' AND state LIKE 'idle in transaction%'
"""


async def one_request(client: AsyncClient, number: int) -> None:
    floating_ip_id = number % 20 + 1
    match number % 5:
        case 0 | 1:
            await client.post("/os-floating-ips")
        case 2:
            await make.associate(client, floating_ip_id, "11.0.0.1")
        case 3:
            await client.delete(f"/os-floating-ips/{floating_ip_id}")
        case _:
            await client.get("/os-floating-ips")


async def test_400_requests_cancelled_at_random_moments_leak_no_connection(
    app: ASGIApp, database: LedgerDatabase, settings: Settings
) -> None:
    await make.pool(database, "203.0.113.0/24")
    await make.server(database, "11.0.0.1")
    await make.quota(database, -1)
    chance = random.Random(7)
    cancelled = 0

    async with make_client(app, "joe:demo") as client:
        for _ in range(10):
            tasks = [
                asyncio.create_task(one_request(client, number)) for number in range(40)
            ]
            for task in chance.sample(tasks, len(tasks)):
                await asyncio.sleep(chance.random() * 0.0005)
                cancelled += task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    assert cancelled > 40
    await asyncio.gather(*(hold(database) for _ in range(settings.database_pool_size)))
    async with connection(database) as lent:
        assert await lent.fetchval(IN_TRANSACTION) == 0
    assert await make.breaches(database) == []


async def hold(database: LedgerDatabase) -> None:
    """Hold a connection for a while: all of the pool's can be held at once."""
    async with connection(database) as lent:
        await lent.fetchval("SELECT pg_sleep(0.2)")
