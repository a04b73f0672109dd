"""Requests that meet in the one moment that matters, each meeting made by hand."""

import asyncio

from httpx import AsyncClient

from app.auth import Caller, Role
from app.database import LedgerDatabase, transaction
from app.ledger import allocation, pools
from app.ledger.addresses import parse_range
from tests import make

BATCH = "/os-floating-ips/batch"


@make.both_ways
async def test_a_release_while_the_first_floating_ip_of_all_is_made_is_counted(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """Its id can be guessed before it is told: the quota begins in that transaction."""
    await make.pool(database)

    async with transaction(database) as tx:
        joe = Caller("joe", "demo", Role.MEMBER, "req-1")
        await allocation.allocate(tx, joe, "public", 10)
        releasing = asyncio.create_task(client.delete("/os-floating-ips/1"))
        await make.somebody_waits(database)
    released = await releasing

    assert released.status_code == 202
    assert await make.breaches(database) == []


ROOM_MOVES = """
UPDATE quota_shares
   SET room = room + CASE number WHEN 1 THEN 1 ELSE -1 END
 WHERE number IN (1, 63)
"""


async def test_a_batch_takes_from_a_share_what_it_has_once_it_is_had(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """All of one that had less before; a CHECK would see that, if it stood there."""
    await make.pool(database, "203.0.113.0/24")
    await make.quota(database, 128)
    asked = {"allocate_addresses": {"count": 127}}

    async with transaction(database) as tx:
        await tx.execute(ROOM_MOVES)
        asking = asyncio.create_task(client.post(BATCH, json=asked))
        await make.somebody_waits(database)
    allocated = await asking

    assert allocated.status_code == 200, allocated.text
    assert len(allocated.json()["floating_ips"]) == 127
    assert await make.breaches(database) == []


LOCK_SHARE = "SELECT FROM quota_shares WHERE number = $1 FOR UPDATE"


async def test_whoever_waits_for_a_share_keeps_no_other_one_locked(
    client: AsyncClient, database: LedgerDatabase
) -> None:
    """Else two that wait for each other's: a deadlock."""
    await make.pool(database)
    await make.quota(database, 2)
    two = {"allocate_addresses": {"count": 2}}

    async def lock_the_first() -> None:
        async with transaction(database) as tx:
            await tx.execute(LOCK_SHARE, 0)

    async with transaction(database) as other:
        await other.execute(LOCK_SHARE, 1)
        asking = asyncio.create_task(client.post(BATCH, json=two))
        await make.somebody_waits(database)
        await asyncio.create_task(lock_the_first())

    assert (await asking).status_code == 200


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
        await make.somebody_waits(database)
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
        await make.somebody_waits(database)

    assert (await asking).status_code == 404
