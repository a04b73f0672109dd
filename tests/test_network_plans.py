"""A page costs what it returns: the same of 100,000 floating IPs as of 10,000."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, TypeAlias

from app.database import Connection, LedgerDatabase, connection
from app.ledger import floating_ip_lists as lists
from app.ledger import ports
from app.ledger.floating_ip_lists import Chosen, Names, Span
from app.settings import Settings
from tests.conftest import EMPTY

FEW, MANY = 10_000, 100_000

# A tenth is of the pool `blue`, a tenth is associated, a tenth has the tag `web`.
HOLD = """
WITH pool AS (
    INSERT INTO pools (name) VALUES ('public'), ('blue') RETURNING id, name
), server AS (
    INSERT INTO servers (project_id, name) VALUES ($2, 'web') RETURNING id
), numbers AS (
    SELECT n, CASE WHEN n % 10 = 0 THEN inet '10.0.0.0' + n END AS fixed_ip
      FROM generate_series(1, $1::int) AS n
), fixed AS (
    INSERT INTO fixed_ips (project_id, address, server_id)
    SELECT $2, fixed_ip, server.id FROM numbers, server WHERE fixed_ip IS NOT NULL
), held AS (
    INSERT INTO addresses (address, pool_id, state, floating_ip_id, floating_ip_uuid,
                           project_id, revision, fixed_ip, created_at)
    SELECT inet '172.16.0.0' + n, pool.id, 'held', n, gen_random_uuid(), $2, 1,
           fixed_ip, now()
      FROM numbers
      JOIN pool ON pool.name = CASE n % 10 WHEN 3 THEN 'blue' ELSE 'public' END
)
INSERT INTO floating_ip_tags (project_id, tag, floating_ip_id)
SELECT $2, 'web', n FROM numbers WHERE n % 10 = 7
"""

STATISTICS = "ANALYZE addresses, fixed_ips, servers, floating_ip_tags, pools"


@dataclass
class Watched:
    """A connection whose statements are explained as they are sent."""

    connection: Connection
    blocks: int = 0
    plans: str = ""

    async def fetch(self, statement: str, *values: object) -> Sequence[Any]:
        await self.explain(statement, *values)
        rows: Sequence[Any] = await self.connection.fetch(statement, *values)
        return rows

    async def explain(self, statement: str, *values: object) -> None:
        explained = await self.connection.fetchval(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement, *values
        )
        plan = json.loads(explained)[0]["Plan"]
        self.blocks += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        self.plans += json.dumps(plan)

    async def fetchrow(self, statement: str, *values: object) -> Any:
        return await self.connection.fetchrow(statement, *values)

    async def fetchval(self, statement: str, *values: object) -> Any:
        return await self.connection.fetchval(statement, *values)


Read: TypeAlias = Callable[[Any, int], Awaitable[None]]
"""Reads a page in the middle of so many."""


def page(chosen: Chosen, *, descending: bool = False) -> Read:
    async def read(watched: Any, count: int) -> None:
        span = Span(count // 2, 101, descending=descending)
        await lists.page(watched, "demo", chosen, span)

    return read


async def page_of_ports(watched: Any, count: int) -> None:
    span = ports.Span(await watched.fetchval(A_PORT), 101, descending=False)
    await ports.page(watched, "demo", ports.Chosen(), span)


async def ports_of_a_fixed_ip(watched: Any, count: int) -> None:
    span = ports.Span(None, 101, descending=False)
    chosen = ports.Chosen(fixed_ips=[ip_address("10.0.0.10")])
    await ports.page(watched, "demo", chosen, span)


async def floating_ip_of_a_port(watched: Any, count: int) -> None:
    names = Names(ports=[await watched.fetchval(A_PORT)])
    await page(Chosen(names))(watched, 0)


A_PORT = "SELECT uuid FROM fixed_ips WHERE address = '10.0.0.10'"

BLUE = 2
"""The id of the pool `blue`."""

READS: dict[str, Read] = {
    "all": page(Chosen()),
    "all, downward": page(Chosen(), descending=True),
    "associated": page(Chosen(associated=True)),
    "unassociated": page(Chosen(associated=False), descending=True),
    "of a network": page(Chosen(pool_ids=[BLUE])),
    "of a network, downward": page(Chosen(pool_ids=[BLUE]), descending=True),
    "of a network, unassociated": page(Chosen(pool_ids=[BLUE], associated=False)),
    "with a tag": page(Chosen(tags=["web"])),
    "with a tag, downward": page(Chosen(tags=["web"]), descending=True),
    "with a tag that none has": page(Chosen(tags=["none"])),
    "with any tag": page(Chosen(any_tags=["web", "none"])),
    "of a port": floating_ip_of_a_port,
    "of a fixed IP": page(Chosen(Names(fixed_ips=[ip_address("10.0.0.10")]))),
    "of an address": page(Chosen(Names(addresses=[ip_address("172.16.0.9")]))),
    "ports": page_of_ports,
    "ports of a fixed IP": ports_of_a_fixed_ip,
}


async def costs(database: LedgerDatabase, count: int) -> dict[str, Watched]:
    """Fill the ledger, and read a page of 100 in each way."""
    async with connection(database) as lent:
        await lent.execute(EMPTY)
        await lent.execute(HOLD, count, "demo")
        await lent.execute(STATISTICS)
        found = {}
        for name, read in READS.items():
            found[name] = Watched(lent)
            await read(found[name], count)
        return found


async def test_a_page_of_many_costs_what_one_of_few_does(
    settings: Settings,
) -> None:
    async with LedgerDatabase(settings, deadline=120) as patient:
        few = await costs(patient, FEW)
        many = await costs(patient, MANY)

    # An index of ten times as many is a level deeper, and is entered for each row.
    costly = {
        name: (few[name].blocks, many[name].blocks, many[name].plans)
        for name in READS
        if many[name].blocks > 1.3 * few[name].blocks + 101
    }
    assert costly == {}
    assert max(each.blocks for each in many.values()) < 15 * 101
