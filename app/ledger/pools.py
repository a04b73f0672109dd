"""Pools of public addresses: found by callers, filled and emptied by admins."""

from collections.abc import Callable
from dataclasses import dataclass

from asyncpg import UniqueViolationError

from app.database import Connection, Tx
from app.errors import (
    AddressExists,
    AddressHeld,
    InvalidValue,
    PoolNotFound,
    UnknownMarker,
)
from app.ledger.addresses import Address, AddressRange

FIND = "SELECT id FROM pools WHERE name = $1"


async def find(connection: Connection, name: str) -> int:
    """Return the id of the pool with that name.

    Raises PoolNotFound.
    """
    pool_id: int | None = await connection.fetchval(FIND, name)
    if pool_id is None:
        raise PoolNotFound(name)
    return pool_id


NAMES = "SELECT name FROM pools ORDER BY name"


async def names(connection: Connection) -> list[str]:
    """Return the names of all pools, in order."""
    return [row["name"] for row in await connection.fetch(NAMES)]


# The update that changes nothing locks the pool where it exists already.
FIND_OR_CREATE = """
INSERT INTO pools (name) VALUES ($1)
    ON CONFLICT (name) DO UPDATE SET name = excluded.name
RETURNING id
"""


async def find_or_create(tx: Tx, name: str) -> int:
    """Return the id of the pool with that name, which is there from now on.

    Locks the pool.
    """
    pool_id: int = await tx.fetchval(FIND_OR_CREATE, name)
    return pool_id


MOST = 2**24
"""Addresses that can be added at once: an IPv4 network /8."""


def limit(addresses: AddressRange) -> None:
    """Refuse more addresses than can be added at once.

    Raises InvalidValue.
    """
    if addresses.count > MOST:
        rule = f"must not have more than {MOST} addresses"
        raise InvalidValue("ip_range", rule, addresses.text)


FIRST_IN_POOL = """
SELECT host(address)
  FROM addresses
 WHERE address BETWEEN $1 AND $2
 ORDER BY address
 LIMIT 1
"""

# The random keys of a batch are of its share of the range 0 to 1: a /8 has 64 batches,
# the first with keys up to 1/64. So each batch fills its own part of the index of free
# addresses, which fits in memory, and not all of it once more: half the WAL.
FILL = """
INSERT INTO addresses (address, pool_id, interface, pick)
SELECT CAST($1 AS inet) + n, $2, $3, ($4 + random() * ($5 - $4)) / $6
  FROM generate_series(CAST($4 AS bigint), $5 - 1) AS n
"""

BATCH = 2**18
"""Addresses that one statement adds: about two seconds' work."""

Progress = Callable[[int], None]
"""Is told how many addresses have been added since it was told last."""


def _tell_nobody(added: int) -> None:
    """Stand in where nobody wants to know."""


async def add(
    tx: Tx,
    name: str,
    addresses: AddressRange,
    interface: str,
    progress: Progress = _tell_nobody,
) -> None:
    """Add free addresses to a pool, which is created if there is none of that name.

    Locks the pool.
    Raises InvalidValue beyond 2^24 addresses, and AddressExists, with nothing added, if
    one is in any pool already.
    """
    limit(addresses)
    pool_id = await find_or_create(tx, name)
    await _refuse_any_of(tx, addresses)
    try:
        # A savepoint: going back to it lets the next statement see who came first.
        async with tx.transaction():
            await _fill(tx, pool_id, addresses, interface, progress)
    except UniqueViolationError as violation:
        if violation.constraint_name != "addresses_pkey":
            raise
        await _refuse_any_of(tx, addresses)
        raise AddressExists(addresses.text) from violation


async def _refuse_any_of(tx: Tx, addresses: AddressRange) -> None:
    there = await tx.fetchval(FIRST_IN_POOL, addresses.first, addresses.last)
    if there is not None:
        raise AddressExists(there)


async def _fill(
    tx: Tx, pool_id: int, addresses: AddressRange, interface: str, progress: Progress
) -> None:
    first, count = addresses.first, addresses.count
    for begin in range(0, count, BATCH):
        end = min(begin + BATCH, count)
        await tx.execute(FILL, first, pool_id, interface, begin, end, count)
        progress(end - begin)


LOCK_RANGE = """
WITH locked AS (
    SELECT address, state
      FROM addresses
     WHERE address BETWEEN $1 AND $2
     ORDER BY address
       FOR UPDATE
)
SELECT host(min(address) FILTER (WHERE state = 'held')) FROM locked
"""

# An address that came into the pool, and was allocated, since the others were locked
# is not taken away.
EMPTY_RANGE = """
DELETE FROM addresses WHERE address BETWEEN $1 AND $2 AND state <> 'held'
"""


async def take_out(tx: Tx, addresses: AddressRange) -> None:
    """Take addresses out of their pools; those of the range in no pool are no matter.

    Locks the addresses.
    Raises AddressHeld, with nothing taken out, if a project holds one.
    """
    held = await tx.fetchval(LOCK_RANGE, addresses.first, addresses.last)
    if held is not None:
        raise AddressHeld(held)
    await tx.execute(EMPTY_RANGE, addresses.first, addresses.last)


LOCK = "SELECT id FROM pools WHERE name = $1 FOR UPDATE"

LOCK_ALL = """
WITH locked AS (
    SELECT address, state
      FROM addresses
     WHERE pool_id = $1
     ORDER BY address
       FOR UPDATE
)
SELECT host(min(address) FILTER (WHERE state = 'held')) FROM locked
"""

EMPTY = "DELETE FROM addresses WHERE pool_id = $1"

REMOVE = "DELETE FROM pools WHERE id = $1"


async def remove(tx: Tx, name: str) -> None:
    """Remove a pool and its addresses.

    Locks the pool, then its addresses.
    Raises PoolNotFound, AddressHeld.
    """
    pool_id = await tx.fetchval(LOCK, name)
    if pool_id is None:
        raise PoolNotFound(name)
    held = await tx.fetchval(LOCK_ALL, pool_id)
    if held is not None:
        raise AddressHeld(held)
    await tx.execute(EMPTY, pool_id)
    await tx.execute(REMOVE, pool_id)


@dataclass(frozen=True, slots=True)
class PoolState:
    """How many addresses of a pool are in which state."""

    name: str
    free: int
    held: int
    resting: int
    reserved: int


STATES = """
SELECT p.name,
       count(*) FILTER (WHERE a.state = 'free'),
       count(*) FILTER (WHERE a.state = 'held'),
       count(*) FILTER (WHERE a.state = 'resting'),
       count(*) FILTER (WHERE a.state = 'reserved')
  FROM pools p
  LEFT JOIN addresses a ON a.pool_id = p.id
 GROUP BY p.name
 ORDER BY p.name
"""


async def states(connection: Connection) -> list[PoolState]:
    """Count the addresses of every pool by their state; reads them all."""
    return [PoolState(*row) for row in await connection.fetch(STATES)]


@dataclass(frozen=True, slots=True)
class PoolAddress:
    """An address as the operator sees it: its pool, and who has it."""

    address: str
    pool: str
    interface: str
    project_id: str | None
    server_uuid: str | None
    fixed_ip: str | None


PAGE = """
SELECT host(a.address), p.name, a.interface, a.project_id, s.uuid::text,
       host(a.fixed_ip)
  FROM addresses a
  JOIN pools p ON p.id = a.pool_id
  LEFT JOIN fixed_ips f ON f.project_id = a.project_id AND f.address = a.fixed_ip
  LEFT JOIN servers s ON s.id = f.server_id
 WHERE a.address > $1
 ORDER BY a.address
 LIMIT $2
"""

BELOW_ALL = "0.0.0.0/0"

IS_THERE = "SELECT FROM addresses WHERE address = $1"


async def page(
    connection: Connection, marker: Address | None, limit: int
) -> list[PoolAddress]:
    """Return the addresses of all pools in order, from the one after the marker on.

    Raises UnknownMarker.
    """
    if marker and await connection.fetchrow(IS_THERE, marker) is None:
        raise UnknownMarker(marker)
    return await behind(connection, marker, limit)


async def behind(
    connection: Connection, address: Address | None, limit: int
) -> list[PoolAddress]:
    """Return the addresses behind one that may have left its pool by now."""
    rows = await connection.fetch(PAGE, address or BELOW_ALL, limit)
    return [PoolAddress(*row) for row in rows]
