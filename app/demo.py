"""What a newcomer finds: a pool, and a project with two servers."""

from app.database import LedgerDatabase, transaction
from app.ledger import pools, registration
from app.ledger.addresses import parse_address, parse_range

PROJECT = "demo"
ADDRESSES = "203.0.113.0/24"
SERVERS = {"web": "10.0.0.3", "db": "10.0.0.4"}


ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('floating-ips demo'))"
"""Replicas start together; the second then finds what the first has added."""


async def fill(database: LedgerDatabase, pool: str) -> None:
    """Add the demo's pool, addresses and servers, unless the pool is there already."""
    async with transaction(database) as tx:
        await tx.execute(ONE_AT_A_TIME)
        if pool in await pools.names(tx):
            return
        await pools.add(tx, pool, parse_range(ADDRESSES), "eth0")
        for name, fixed_ip in SERVERS.items():
            await registration.register(tx, PROJECT, name, [parse_address(fixed_ip)])
