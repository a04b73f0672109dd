import asyncio

from httpx import AsyncClient

from app import demo
from app.database import LedgerDatabase


async def test_replicas_that_start_together_fill_the_demo_once(
    admin: AsyncClient, database: LedgerDatabase
) -> None:
    await asyncio.gather(*(demo.fill(database, "public") for _ in range(4)))

    servers = (await admin.get("/servers")).json()["servers"]
    assert [server["name"] for server in servers] == ["web", "db"]
    pools = (await admin.get("/os-floating-ip-pools")).json()
    assert pools == {"floating_ip_pools": [{"name": "public"}]}
