"""Giving addresses to projects, and taking them back."""

import asyncio
from random import random

from asyncpg import LockNotAvailableError, Record

from app.auth import Caller
from app.database import Tx
from app.errors import Busy, FloatingIPNotFound, PoolExhausted
from app.ledger import history, pools, quotas, revisions
from app.ledger.floating_ips import FloatingIP
from app.ledger.revisions import IfMatch

# Skips what others have locked, so that nobody waits while anything is free.
TAKE_FREE = """
UPDATE addresses
   SET state = 'held',
       floating_ip_id = nextval('floating_ip_ids'),
       floating_ip_uuid = gen_random_uuid(),
       project_id = $2,
       revision = 1,
       changed_at = greatest(clock_timestamp(), changed_at)
 WHERE address = (
       SELECT address
         FROM addresses
        WHERE pool_id = $1 AND state = 'free' AND pick >= $3
        ORDER BY pick
        LIMIT 1
          FOR UPDATE SKIP LOCKED)
RETURNING floating_ip_id, host(address) AS ip, changed_at
"""

IS_ANY_FREE = """
SELECT EXISTS (SELECT FROM addresses WHERE pool_id = $1 AND state = 'free')
"""

AWAIT_FREE = """
SELECT address
  FROM addresses
 WHERE pool_id = $1 AND state = 'free'
 ORDER BY pick
 LIMIT 1
   FOR UPDATE
"""


A_MOMENT = "SET LOCAL lock_timeout = '200ms'"

PATIENCE = 2.0
"""Seconds to wait for an address while all free ones are locked."""


async def allocate(tx: Tx, caller: Caller, pool: str, default_quota: int) -> FloatingIP:
    """Give the caller's project a free address of the pool.

    Locks the project's quota row, then one address.
    Raises PoolNotFound, QuotaExceeded, PoolExhausted, Busy.
    """
    pool_id = await pools.find(tx, pool)
    await quotas.take(tx, caller.project_id, default_quota)
    taken = await _take_free(tx, pool_id, pool, caller.project_id)
    floating_ip = FloatingIP(taken["floating_ip_id"], taken["ip"], None, None, 1)
    await history.begin(tx, caller, floating_ip.ip, floating_ip.id, taken["changed_at"])
    return floating_ip


async def _take_free(tx: Tx, pool_id: int, pool: str, project_id: str) -> Record:
    """Hold a free address of the pool.

    Begins at a random key: cost then depends neither on the pool's size nor on its
    fill, nor on an old snapshot that keeps dead index entries. "Exhausted" is what a
    statement of its own saw; while free rows are merely locked, it waits for one.

    Raises PoolExhausted, Busy.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    while True:
        for start in (random(), 0.0):  # noqa: S311  # spreads load, keeps no secret
            taken = await tx.fetchrow(TAKE_FREE, pool_id, project_id, start)
            if taken is not None:
                return taken
        if not await tx.fetchval(IS_ANY_FREE, pool_id):
            raise PoolExhausted(pool)
        if loop.time() > deadline:
            raise Busy
        await _await_free(tx, pool_id)


async def _await_free(tx: Tx, pool_id: int) -> None:
    """Wait for what holds a free row of the pool, for a moment, and lock nothing.

    A row that was taken while we waited would stay locked, with its new owner waiting
    for us; going back to a savepoint lets go of it.
    """
    savepoint = tx.transaction()
    await savepoint.start()
    try:
        await tx.execute(A_MOMENT)
        await tx.fetchval(AWAIT_FREE, pool_id)
    except LockNotAvailableError:
        # Another row may be free by now.
        pass
    await savepoint.rollback()


LOCK = """
SELECT revision
  FROM addresses
 WHERE project_id = $1 AND floating_ip_id = $2
   FOR UPDATE
"""

GIVE_BACK = """
UPDATE addresses
   SET state = 'free',
       pick = random(),
       floating_ip_id = NULL,
       floating_ip_uuid = NULL,
       project_id = NULL,
       fixed_ip = NULL,
       auto_associated = false,
       revision = NULL,
       changed_at = greatest(clock_timestamp(), changed_at)
 WHERE project_id = $1 AND floating_ip_id = $2
RETURNING changed_at
"""


async def release(
    tx: Tx, caller: Caller, floating_ip_id: int, *, if_match: IfMatch = None
) -> None:
    """Take a floating IP back from the caller's project, disassociated or not.

    Locks the project's quota row, then the address.
    Raises FloatingIPNotFound, PreconditionFailed.
    """
    await quotas.give_back(tx, caller.project_id)
    if if_match is not None:
        revision = await tx.fetchval(LOCK, caller.project_id, floating_ip_id)
        if revision is None:
            raise FloatingIPNotFound(floating_ip_id)
        revisions.check(if_match, revision)
    await give_back(tx, caller.project_id, floating_ip_id)


async def give_back(tx: Tx, project_id: str, floating_ip_id: int) -> None:
    """Make a floating IP's address free; its quota has been given back before.

    Locks the address.
    Raises FloatingIPNotFound.
    """
    changed_at = await tx.fetchval(GIVE_BACK, project_id, floating_ip_id)
    if changed_at is None:
        raise FloatingIPNotFound(floating_ip_id)
    await history.end(tx, floating_ip_id, changed_at)
