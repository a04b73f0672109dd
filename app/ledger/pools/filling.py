"""Adding addresses to pools, and taking them out."""

from collections.abc import Callable

from asyncpg import UniqueViolationError

from app.database import Tx
from app.errors import AddressExists, AddressHeld, InvalidValue, PoolNotFound
from app.ledger.addresses import AddressRange
from app.ledger.pools.named import find_or_create

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
    await count_added(tx, pool_id, addresses.count)
    await tx.execute(REMEMBER, addresses.first, addresses.last)


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


COUNT_ADDED = "INSERT INTO pool_counts (pool_id, free) VALUES ($1, $2)"


async def count_added(tx: Tx, pool_id: int, count: int) -> None:
    """Count so many free addresses more in a pool."""
    await tx.execute(COUNT_ADDED, pool_id, count)


# A statement after the addresses were added: it sees what was taken out until then.
REMEMBER = """
WITH back AS (
    DELETE FROM former_addresses
     WHERE address BETWEEN $1 AND $2
 RETURNING address, changed_at, rests_for, rests_until
)
UPDATE addresses a
   SET state = CASE WHEN b.rests_until IS NULL THEN 'free' ELSE 'resting' END,
       rests_for = b.rests_for,
       rests_until = b.rests_until,
       changed_at = b.changed_at
  FROM back b
 WHERE a.address = b.address
"""

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
# is not taken away. The end of its last interval, and its quarantine, outlive an
# address that was ever held.
EMPTY_RANGE = """
WITH gone AS (
    DELETE FROM addresses
     WHERE address BETWEEN $1 AND $2 AND state <> 'held'
 RETURNING address, pool_id, state, changed_at, rests_for, rests_until
), kept AS (
    INSERT INTO former_addresses (address, changed_at, rests_for, rests_until)
    SELECT address, changed_at, rests_for, rests_until
      FROM gone
     WHERE changed_at > '-infinity'
)
INSERT INTO pool_counts (pool_id, free, resting, reserved)
SELECT pool_id,
       -count(*) FILTER (WHERE state = 'free'),
       -count(*) FILTER (WHERE state = 'resting'),
       -count(*) FILTER (WHERE state = 'reserved')
  FROM gone
 GROUP BY pool_id
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

KEEP = """
INSERT INTO former_addresses (address, changed_at, rests_for, rests_until)
SELECT address, changed_at, rests_for, rests_until
  FROM addresses
 WHERE pool_id = $1 AND changed_at > '-infinity'
"""

EMPTY = "DELETE FROM addresses WHERE pool_id = $1"

COUNT_NO_MORE = "DELETE FROM pool_counts WHERE pool_id = $1"

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
    for statement in (KEEP, EMPTY, COUNT_NO_MORE):
        await tx.execute(statement, pool_id)
    await tx.execute(REMOVE, pool_id)
