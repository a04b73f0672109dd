"""Giving addresses to projects."""

import asyncio
from collections.abc import Sequence
from random import random

from asyncpg import Record

from app.auth import Caller
from app.database import Tx
from app.errors import AddressNotFound, AddressNotFree, Busy, PoolExhausted
from app.ledger import pools, quotas
from app.ledger.addresses import Address
from app.ledger.floating_ips import FloatingIP
from app.ledger.waiting import wait_a_moment

# What the project gave back itself comes first, the latest before the others. Of the
# free ones those from a random key on: cost then depends neither on the pool's size nor
# on its fill, nor on an old snapshot that keeps dead index entries. What was another's
# comes last, and only when its time is over. Nothing waits for what others have locked,
# and a source is looked at only if those before it have nothing.
CHOOSE_ONE = """
WITH own AS (
    SELECT address
      FROM addresses
     WHERE pool_id = $4 AND state = 'resting' AND rests_for = $1
     ORDER BY changed_at DESC
     LIMIT 1
       FOR UPDATE SKIP LOCKED
), free AS (
    SELECT address
      FROM addresses
     WHERE pool_id = $4 AND state = 'free' AND pick >= $5
     ORDER BY pick
     LIMIT 1
       FOR UPDATE SKIP LOCKED
), free_before AS (
    SELECT address
      FROM addresses
     WHERE pool_id = $4 AND state = 'free' AND pick < $5
     ORDER BY pick
     LIMIT 1
       FOR UPDATE SKIP LOCKED
), due AS (
    SELECT address
      FROM addresses
     WHERE pool_id = $4
       AND state = 'resting'
       AND rests_until <= now()
       AND rests_for <> $1
     ORDER BY rests_until
     LIMIT 1
       FOR UPDATE SKIP LOCKED
), chosen AS (
    SELECT coalesce((SELECT address FROM own),
                    (SELECT address FROM free),
                    (SELECT address FROM free_before),
                    (SELECT address FROM due)) AS address
), """

# The same for many: a plan for each number, since a limit that is not known when it is
# planned is taken for a tenth of the pool.
CHOOSE_MANY = """
WITH own AS (
    SELECT address
      FROM addresses
     WHERE pool_id = $4 AND state = 'resting' AND rests_for = $1
     ORDER BY changed_at DESC
     LIMIT $6
       FOR UPDATE SKIP LOCKED
), free AS (
    SELECT address
      FROM addresses
     WHERE pool_id = $4 AND state = 'free' AND pick >= $5
     ORDER BY pick
     LIMIT $6 - (SELECT count(*) FROM own)
       FOR UPDATE SKIP LOCKED
), free_before AS (
    SELECT address
      FROM addresses
     WHERE pool_id = $4 AND state = 'free' AND pick < $5
     ORDER BY pick
     LIMIT $6 - (SELECT count(*) FROM own) - (SELECT count(*) FROM free)
       FOR UPDATE SKIP LOCKED
), due AS (
    SELECT address
      FROM addresses
     WHERE pool_id = $4 AND state = 'resting' AND rests_until <= now()
       AND rests_for <> $1
     ORDER BY rests_until
     LIMIT $6 - (SELECT count(*) FROM own) - (SELECT count(*) FROM free)
              - (SELECT count(*) FROM free_before)
       FOR UPDATE SKIP LOCKED
), chosen AS (
    SELECT address FROM own
     UNION ALL
    SELECT address FROM free
     UNION ALL
    SELECT address FROM free_before
     UNION ALL
    SELECT address FROM due
), """

THIS_ONE = """
WITH chosen AS (
    SELECT CAST($4 AS inet) AS address
), """

HOLD = """held AS (
    UPDATE addresses
       SET state = 'held',
           floating_ip_id = nextval('floating_ip_ids'),
           floating_ip_uuid = gen_random_uuid(),
           project_id = $1,
           revision = 1,
           rests_for = NULL,
           rests_until = NULL,
           reserved_reason = NULL,
           reserved_until = NULL,
           changed_at = greatest(clock_timestamp(), changed_at),
           created_at = clock_timestamp()
     WHERE address = ANY (ARRAY(SELECT address FROM chosen))
 RETURNING floating_ip_id, address, changed_at
), begun AS (
    INSERT INTO history (address, floating_ip_id, project_id, since, actor, request_id)
    SELECT address, floating_ip_id, $1, changed_at, $2, $3
      FROM held
)
SELECT floating_ip_id, host(address) AS ip FROM held ORDER BY floating_ip_id
"""

TAKE_ONE = CHOOSE_ONE + HOLD
TAKE_MANY = CHOOSE_MANY + HOLD
TAKE_THIS_ONE = THIS_ONE + HOLD

PATIENCE = 2.0
"""Seconds to wait for addresses while those that are left are locked."""


async def allocate(tx: Tx, caller: Caller, pool: str, default_quota: int) -> FloatingIP:
    """Give the caller's project an address of the pool.

    Locks a share of the project's quota, then one address.
    Raises PoolNotFound, QuotaExceeded, PoolExhausted, Busy.
    """
    return (await allocate_many(tx, caller, pool, 1, default_quota))[0]


async def allocate_many(
    tx: Tx, caller: Caller, pool: str, count: int, default_quota: int
) -> list[FloatingIP]:
    """Give the caller's project so many addresses of the pool, or none.

    Locks shares of the project's quota, then the addresses.
    Raises PoolNotFound, QuotaExceeded, PoolExhausted, Busy.
    """
    pool_id = await pools.find(tx, pool)
    await quotas.take(tx, caller.project_id, default_quota, count)
    taken = await _take(tx, caller, pool_id, pool, count)
    return [_new(row) for row in taken]


def _new(row: Record) -> FloatingIP:
    return FloatingIP(row["floating_ip_id"], row["ip"], None, None, 1)


async def _take(
    tx: Tx, caller: Caller, pool_id: int, pool: str, count: int
) -> Sequence[Record]:
    """Hold addresses of the pool.

    "Exhausted" is what a statement of its own saw; while there are enough that are
    merely locked, it waits for one of them.

    Raises PoolExhausted, Busy.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    while not (taken := await _take_at_once(tx, caller, pool_id, count)):
        left = await tx.fetch(LEFT, pool_id, caller.project_id, count)
        if len(left) < count:
            raise PoolExhausted(pool)
        if loop.time() > deadline:
            raise Busy
        await wait_a_moment(tx, AWAIT, left[0]["address"])
    return taken


class _TooFewError(Exception):
    """Some addresses could be had, and not as many as are wanted."""


async def _take_at_once(
    tx: Tx, caller: Caller, pool_id: int, count: int
) -> Sequence[Record]:
    """Hold so many addresses, or let go of those that could be had."""
    start = random()  # noqa: S311  # spreads load, keeps no secret
    wanted = *_whose(caller), pool_id, start
    if count == 1:
        return await tx.fetch(TAKE_ONE, *wanted)
    try:
        async with tx.transaction():
            taken = await tx.fetch(TAKE_MANY, *wanted, count)
            if len(taken) < count:
                raise _TooFewError
    except _TooFewError:
        return []
    return taken


# As many as are wanted, locked or not. Each of the three is bounded by itself, and one
# that is the project's own and due counts once.
LEFT = """
SELECT address
  FROM ((SELECT address
           FROM addresses
          WHERE pool_id = $1 AND state = 'free'
          ORDER BY pick
          LIMIT $3)
         UNION
        (SELECT address
           FROM addresses
          WHERE pool_id = $1 AND state = 'resting' AND rests_for = $2
          ORDER BY changed_at DESC
          LIMIT $3)
         UNION
        (SELECT address
           FROM addresses
          WHERE pool_id = $1 AND state = 'resting' AND rests_until <= now()
          ORDER BY rests_until
          LIMIT $3)) AS candidates
 ORDER BY random()
 LIMIT $3
"""

AWAIT = "SELECT FROM addresses WHERE address = $1 FOR UPDATE"


FIND = """
SELECT p.name
  FROM addresses a
  JOIN pools p ON p.id = a.pool_id
 WHERE a.address = $1
"""

LOCK = """
SELECT state = 'free'
       OR state = 'resting' AND (rests_for = $2 OR rests_until <= now())
       OR state = 'reserved' AND reserved_until <= now()
          AND (rests_for IS NULL OR rests_for = $2 OR rests_until <= now())
          AS can_be_had
  FROM addresses
 WHERE address = $1
   FOR UPDATE
"""


async def allocate_this(
    tx: Tx, caller: Caller, address: Address, pool: str | None, default_quota: int
) -> FloatingIP:
    """Give the caller's project this very address, of the pool if one is named.

    Locks a share of the project's quota, then the address.
    Raises PoolNotFound, AddressNotFound, QuotaExceeded, AddressNotFree, Busy.
    """
    if pool is not None:
        await pools.find(tx, pool)
    name = await tx.fetchval(FIND, address)
    if name is None or pool not in (None, name):
        raise AddressNotFound(address)
    await quotas.take(tx, caller.project_id, default_quota)
    locked = await tx.fetchrow(LOCK, address, caller.project_id)
    if locked is None:
        raise AddressNotFound(address)
    if not locked["can_be_had"]:
        raise AddressNotFree(address)
    (row,) = await tx.fetch(TAKE_THIS_ONE, *_whose(caller), address)
    return _new(row)


def _whose(caller: Caller) -> tuple[str, str, str]:
    """Return the first three parameters of what begins an interval of history."""
    return caller.project_id, caller.user_id, caller.request_id
