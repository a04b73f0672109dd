"""Pointing floating IPs at the fixed IPs of servers."""

from dataclasses import dataclass
from ipaddress import ip_address

from asyncpg import Record, UniqueViolationError

from app.auth import Caller
from app.database import Tx
from app.errors import (
    FamiliesDiffer,
    FixedIPNotFound,
    FixedIPOccupied,
    FloatingIPNotFound,
)
from app.ledger import history, revisions
from app.ledger.addresses import Address
from app.ledger.revisions import IfMatch


@dataclass(frozen=True, slots=True)
class Target:
    """What a floating IP points at, and whether its server got it by itself."""

    fixed_ip: Address | None
    server_id: int | None
    by_itself: bool


NOWHERE = Target(None, None, by_itself=False)

ONE_EACH = "one_floating_ip_per_fixed_ip"

LOCK = """
SELECT host(address) AS ip, host(fixed_ip) AS fixed_ip, revision
  FROM addresses
 WHERE project_id = $1 AND floating_ip_id = $2
   FOR UPDATE
"""


async def _lock(tx: Tx, project_id: str, floating_ip_id: int) -> Record:
    row = await tx.fetchrow(LOCK, project_id, floating_ip_id)
    if row is None:
        raise FloatingIPNotFound(floating_ip_id)
    return row


# Keeps the server from being removed until the transaction ends, and the fixed IPs for
# one floating IP at a time: two that change places would else meet in the unique index,
# each with the other's entry before it.
LOCK_FIXED_IPS = """
SELECT address, server_id
  FROM fixed_ips
 WHERE project_id = $1 AND address = ANY($2)
 ORDER BY address
   FOR NO KEY UPDATE
"""


async def _lock_fixed_ips(
    tx: Tx, project_id: str, wanted: Address, present: str | None
) -> int:
    """Lock a fixed IP, and the one that is left for it; return the server's id.

    Raises FixedIPNotFound.
    """
    both = {wanted, ip_address(present or wanted)}
    locked = await tx.fetch(LOCK_FIXED_IPS, project_id, both)
    servers: dict[Address, int] = {row["address"]: row["server_id"] for row in locked}
    if wanted not in servers:
        raise FixedIPNotFound(wanted)
    return servers[wanted]


POINT = """
UPDATE addresses
   SET fixed_ip = $3,
       auto_associated = $4,
       revision = revision + 1,
       changed_at = greatest(clock_timestamp(), changed_at)
 WHERE project_id = $1 AND floating_ip_id = $2
RETURNING changed_at, revision
"""


async def associate(
    tx: Tx,
    caller: Caller,
    floating_ip_id: int,
    fixed_ip: Address,
    *,
    by_itself: bool = False,
    if_match: IfMatch = None,
) -> int:
    """Point a floating IP at a fixed IP of the same project; moves it if need be.

    One that a server gets `by_itself` is released with it; whoever points it elsewhere
    makes it an ordinary one. Returns its revision from now on.

    Locks the address, then the fixed IP and the one it stood for.
    Raises FloatingIPNotFound, PreconditionFailed, FixedIPNotFound, FamiliesDiffer,
    FixedIPOccupied.
    """
    project_id = caller.project_id
    present = await _lock(tx, project_id, floating_ip_id)
    revisions.check(if_match, present["revision"])
    server_id = await _lock_fixed_ips(tx, project_id, fixed_ip, present["fixed_ip"])
    if (ip := ip_address(present["ip"])).version != fixed_ip.version:
        raise FamiliesDiffer(ip, fixed_ip)
    if present["fixed_ip"] == str(fixed_ip):
        return int(present["revision"])
    target = Target(fixed_ip, server_id, by_itself)
    return await _point(tx, caller, floating_ip_id, target)


async def disassociate(
    tx: Tx, caller: Caller, floating_ip_id: int, *, if_match: IfMatch = None
) -> int:
    """Point a floating IP at nothing; the project keeps it.

    Returns its revision from now on.

    Locks the address.
    Raises FloatingIPNotFound, PreconditionFailed.
    """
    present = await _lock(tx, caller.project_id, floating_ip_id)
    revisions.check(if_match, present["revision"])
    if present["fixed_ip"] is None:
        return int(present["revision"])
    return await _point(tx, caller, floating_ip_id, NOWHERE)


async def _point(tx: Tx, caller: Caller, floating_ip_id: int, target: Target) -> int:
    try:
        (pointed,) = await tx.fetch(
            POINT,
            caller.project_id,
            floating_ip_id,
            target.fixed_ip,
            target.by_itself,
        )
    except UniqueViolationError as violation:
        if violation.constraint_name != ONE_EACH:
            raise
        raise FixedIPOccupied(target.fixed_ip) from violation
    await history.turn(
        tx,
        caller,
        floating_ip_id,
        pointed["changed_at"],
        target.fixed_ip,
        target.server_id,
    )
    return int(pointed["revision"])
