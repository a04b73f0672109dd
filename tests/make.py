"""Rows to start from, and the few requests that most tests send."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import pytest
from httpx import AsyncClient, Request, Response

from app.database import (
    Connection,
    LedgerDatabase,
    Tx,
    connection,
    snapshot,
    transaction,
)
from app.ledger import check, fleets, pools, quotas, registration
from app.ledger.addresses import parse_address, parse_range
from app.settings import Settings
from app.sweeper import Sweeper


async def pool(
    database: LedgerDatabase,
    ip_range: str = "203.0.113.0/28",
    name: str = "public",
    *,
    quarantine: int = 3600,
) -> None:
    async with transaction(database) as tx:
        await pools.add(tx, name, parse_range(ip_range), "eth0")
        await pools.set_quarantine(tx, name, quarantine)


async def quota(
    database: LedgerDatabase, allowed: int, project_id: str = "demo"
) -> None:
    async with transaction(database) as tx:
        await quotas.allow(tx, project_id, allowed)


async def server(
    database: LedgerDatabase,
    *fixed_ips: str,
    name: str = "web",
    project_id: str = "demo",
) -> int:
    async with transaction(database) as tx:
        return await registered(tx, *fixed_ips, name=name, project_id=project_id)


async def registered(
    tx: Tx, *fixed_ips: str, name: str = "web", project_id: str = "demo"
) -> int:
    """Register a server in a transaction that is under way."""
    addresses = [parse_address(text) for text in fixed_ips]
    made = await registration.register(tx, project_id, name, addresses)
    return made.id


both_ways = pytest.mark.parametrize(
    "alone", [False, True], indirect=True, ids=["together", "alone"]
)
"""For tests of changes: together with those of others, and each in a transaction of
its own."""


async def add_key(request: Request) -> None:
    """Give a request a key that no other has."""
    if request.method != "GET":
        request.headers.setdefault("Idempotency-Key", uuid4().hex)


async def floating_ip(client: AsyncClient, fixed_ip: str | None = None) -> int:
    """Allocate a floating IP, associate it if asked, and return its id."""
    asked = {"allocate_address": {"fixed_ip": fixed_ip}} if fixed_ip else None
    response = await client.post("/os-floating-ips", json=asked)
    assert response.status_code == 200, response.text
    floating_ip_id: int = response.json()["floating_ip"]["id"]
    return floating_ip_id


async def associate(
    client: AsyncClient, floating_ip_id: int, fixed_ip: str
) -> Response:
    return await client.post(
        f"/os-floating-ips/{floating_ip_id}/addFloatingIp",
        json={"associate_address": {"fixed_ip": fixed_ip}},
    )


async def fleet(database: LedgerDatabase, lines: str, pool: str = "public") -> None:
    """Import lines of a fleet's file; its addresses in no pool come into this one."""
    content = f"address,project,fixed_ip,server\n{lines}".encode()
    async with transaction(database) as tx:
        await fleets.take_in(tx, content, fleets.Terms("req-test", 10, pool))


async def send_xml(
    client: AsyncClient, method: str, path: str, document: str
) -> Response:
    """Send a document and ask for one."""
    kind = "application/xml"
    headers = {"Content-Type": kind, "Accept": kind}
    return await client.request(method, path, content=document, headers=headers)


def without_declaration(response: Response) -> str:
    """Return the document of an answer in XML."""
    return response.text.partition("\n")[2]


async def execute(database: LedgerDatabase, sql: str, *values: object) -> None:
    """Change by hand what no request could."""
    async with connection(database) as lent:
        await lent.execute(sql, *values)


WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


async def somebody_waits(database: LedgerDatabase) -> None:
    """Wait until a transaction waits for a lock."""

    async def look() -> None:
        async with connection(database) as lent:
            while not await lent.fetchval(WAITING):
                await lent.execute("SELECT pg_sleep(0.01)")

    async with asyncio.timeout(5):
        # A task of its own has a connection of its own.
        await asyncio.create_task(look())


REST_IS_OVER = """
UPDATE addresses SET rests_until = changed_at WHERE rests_until > changed_at
"""

HOLD_IS_OVER = "UPDATE addresses SET reserved_until = now() WHERE state = 'reserved'"


async def time_pass(database: LedgerDatabase) -> None:
    """Let every quarantine and every hold be over; nobody has looked yet."""
    await execute(database, REST_IS_OVER)
    await execute(database, HOLD_IS_OVER)


async def sweep(database: LedgerDatabase, settings: Settings) -> None:
    """Do what is due, as the task beside the requests does it."""
    await Sweeper(database, settings).sweep()


async def breaches(database: LedgerDatabase) -> Sequence[str]:
    """Audit the ledger: what breaks a promise, and nothing if all is well."""
    async with snapshot(database) as tx:
        return await breaches_seen(tx)


async def breaches_seen(connection: Connection) -> Sequence[str]:
    """Audit the ledger as one connection sees it."""
    return [line async for _, found in check.audit(Tx(connection)) for line in found]
