"""Claim or create: a floating IP that a project has no use for, or else a new one."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from asyncpg import Record

from app.auth import Caller
from app.database import Tx
from app.errors import Busy
from app.ledger import allocation, association, attributes, floating_ips, pools
from app.ledger.addresses import Address
from app.ledger.floating_ips import FloatingIP
from app.ledger.waiting import wait_a_moment


@dataclass(frozen=True, slots=True)
class Wish:
    """What floating IP a project asks for, and what for.

    Where no pool is named, an address may be of any, and any other comes from the
    default pool. With `reuse_unassociated`, one that the project holds already will do
    if it is unassociated and has all the tags; a new one gets them.
    """

    pool: str | None = None
    address: Address | None = None
    reuse_unassociated: bool = False
    tags: Sequence[str] = ()
    fixed_ip: Address | None = None

    @property
    def is_for_any(self) -> bool:
        """Whether any new floating IP of the pool will do, as it is."""
        asks_for_more = self.address or self.tags or self.fixed_ip
        return not (asks_for_more or self.reuse_unassociated)


@dataclass(frozen=True, slots=True)
class Defaults:
    """The pool that is meant where none is named, and a project's quota."""

    pool: str
    quota: int


async def obtain(tx: Tx, caller: Caller, wish: Wish, defaults: Defaults) -> FloatingIP:
    """Give the caller's project what it wishes, associated if it says with what.

    Locks an unassociated floating IP of the project, or else a share of its quota and
    an address; then the fixed IP (shared).
    Raises PoolNotFound, QuotaExceeded, PoolExhausted, AddressNotFound, AddressNotFree,
    FixedIPNotFound, FamiliesDiffer, FixedIPOccupied, Busy.
    """
    floating_ip = None
    if wish.reuse_unassociated:
        floating_ip = await _claim(tx, caller.project_id, wish, defaults)
    if floating_ip is None:
        floating_ip = await _create(tx, caller, wish, defaults)
    if wish.fixed_ip is None:
        return floating_ip
    await association.associate(tx, caller, floating_ip.id, wish.fixed_ip)
    return await floating_ips.show(tx, caller.project_id, floating_ip.id)


async def _create(tx: Tx, caller: Caller, wish: Wish, defaults: Defaults) -> FloatingIP:
    if wish.address is None:
        pool = wish.pool or defaults.pool
        floating_ip = await allocation.allocate(tx, caller, pool, defaults.quota)
    else:
        floating_ip = await allocation.allocate_this(
            tx, caller, wish.address, wish.pool, defaults.quota
        )
    await attributes.tag(tx, caller.project_id, floating_ip.id, wish.tags)
    return floating_ip


SUITABLE = """
SELECT a.floating_ip_id, a.address, host(a.address) AS ip, a.revision
  FROM addresses a
 WHERE a.project_id = $1
   AND a.floating_ip_id IS NOT NULL
   AND a.fixed_ip IS NULL
   AND (a.pool_id = $2 OR $2 IS NULL)
   AND (a.address = $3 OR $3 IS NULL)
   AND (SELECT count(*)
          FROM floating_ip_tags t
         WHERE t.project_id = $1
           AND t.tag = ANY($4)
           AND t.floating_ip_id = a.floating_ip_id) = cardinality($4)
   AND (family(a.address) = family($5) OR $5 IS NULL)
 ORDER BY a.floating_ip_id
 LIMIT 1
"""

# Passes by what another request has locked: it may be about to associate it.
CLAIM = SUITABLE + "FOR UPDATE OF a SKIP LOCKED"

PATIENCE = 2.0
"""Seconds to wait for a floating IP while those that would do are locked."""


async def _claim(
    tx: Tx, project_id: str, wish: Wish, defaults: Defaults
) -> FloatingIP | None:
    """Lock a floating IP of the project that the wish would do with, if there is one.

    "None" is what a statement of its own saw; while there is one that is merely locked,
    it waits for it.

    Raises PoolNotFound, Busy.
    """
    pool_id = None
    if wish.pool is not None or wish.address is None:
        pool_id = await pools.find(tx, wish.pool or defaults.pool)
    tags = sorted(set(wish.tags))
    terms = project_id, pool_id, wish.address, tags, wish.fixed_ip
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    while (claimed := await _claim_at_once(tx, terms, tags)) is None:
        suitable = await tx.fetchrow(SUITABLE, *terms)
        if suitable is None:
            return None
        if loop.time() > deadline:
            raise Busy
        await wait_a_moment(tx, allocation.AWAIT, suitable["address"])
    return FloatingIP(
        claimed["floating_ip_id"], claimed["ip"], None, None, claimed["revision"]
    )


class _OvertakenError(Exception):
    """The tags were changed between the look and the lock."""


async def _claim_at_once(
    tx: Tx, terms: Sequence[object], tags: Sequence[str]
) -> Record | None:
    """Lock a floating IP that will do and that nobody else has locked, or none."""
    try:
        # A savepoint: going back to it lets go of the lock.
        async with tx.transaction():
            row = await tx.fetchrow(CLAIM, *terms)
            if row is not None:
                await _look_again(tx, row["floating_ip_id"], tags)
    except _OvertakenError:
        return None
    return row


async def _look_again(tx: Tx, floating_ip_id: int, tags: Sequence[str]) -> None:
    if not set(tags) <= set(await attributes.tags_of(tx, floating_ip_id)):
        raise _OvertakenError
