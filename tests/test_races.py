"""Requests that meet in the one moment that matters, each meeting made by hand."""

import asyncio

from httpx import AsyncClient

from app.auth import Caller, Role
from app.database import LedgerDatabase, connection, transaction
from app.ledger import allocation, pools
from app.ledger.addresses import parse_range
from tests import make

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


async def somebody_waits(database: LedgerDatabase) -> None:
    """Wait until a transaction waits for a lock."""
    async with asyncio.timeout(5), connection(database) as lent:
        while not await lent.fetchval(WAITING):
            await lent.execute("SELECT pg_sleep(0.01)")


async def test_a_release_while_the_first_floating_ip_of_all_is_made_is_counted(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """Its id can be guessed before it is told: the quota begins in that transaction."""
    await make.pool(database)

    async with transaction(database) as tx:
        joe = Caller("joe", "demo", Role.MEMBER, "req-1")
        await allocation.allocate(tx, joe, "public", 10)
        releasing = asyncio.create_task(client.delete("/os-floating-ips/1"))
        await asyncio.create_task(somebody_waits(database))
    released = await releasing

    assert released.status_code == 202
    assert await make.breaches(database) == []


async def test_a_move_locks_the_fixed_ip_that_it_leaves(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """Else two floating IPs that change places wait for each other: a deadlock."""
    await make.pool(database)
    await make.server(database, "11.0.0.1", "11.0.0.2")
    await make.floating_ip(client, "11.0.0.1")

    async with transaction(database) as other:
        await other.execute(
            "SELECT FROM fixed_ips WHERE address = '11.0.0.1' FOR NO KEY UPDATE"
        )
        moving = asyncio.create_task(make.associate(client, 1, "11.0.0.2"))
        await asyncio.create_task(somebody_waits(database))
    moved = await moving

    assert moved.status_code == 202


async def test_two_that_would_change_places_are_both_refused(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database)
    await make.server(database, "11.0.0.1", "11.0.0.2")
    for n in (1, 2):
        await make.floating_ip(client, f"11.0.0.{n}")

    for _ in range(20):
        both = await asyncio.gather(
            make.associate(client, 1, "11.0.0.2"), make.associate(client, 2, "11.0.0.1")
        )
        assert [response.status_code for response in both] == [409, 409]


async def test_an_address_that_was_taken_out_meanwhile_is_in_no_pool(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    await make.pool(database, "203.0.113.7")
    asked = {"allocate_address": {"address": "203.0.113.7"}}

    async with transaction(database) as tx:
        await pools.take_out(tx, parse_range("203.0.113.7"))
        asking = asyncio.create_task(client.post("/os-floating-ips", json=asked))
        await asyncio.create_task(somebody_waits(database))

    assert (await asking).status_code == 404
