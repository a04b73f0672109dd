"""Taking addresses back from projects: they rest, or are free at once."""

from collections.abc import Sequence

from asyncpg import Record

from app.auth import Caller
from app.database import Tx
from app.errors import FloatingIPNotFound, FloatingIPProtected
from app.ledger import quotas, revisions
from app.ledger.revisions import IfMatch

LOCK = """
SELECT floating_ip_id, protected, revision
  FROM addresses
 WHERE project_id = $1 AND floating_ip_id = ANY($2)
 ORDER BY address
   FOR UPDATE
"""


async def release(
    tx: Tx,
    caller: Caller,
    floating_ip_ids: Sequence[int],
    *,
    if_match: IfMatch = None,
) -> None:
    """Take floating IPs back from the caller's project, disassociated or not.

    All of them, or none.

    Locks a share of the project's quota, then the addresses.
    Raises FloatingIPNotFound, PreconditionFailed, FloatingIPProtected.
    """
    await quotas.give_back(tx, caller.project_id, len(floating_ip_ids))
    locked = await tx.fetch(LOCK, caller.project_id, floating_ip_ids)
    missing = set(floating_ip_ids) - {row["floating_ip_id"] for row in locked}
    if missing:
        raise FloatingIPNotFound(min(missing))
    for row in locked:
        revisions.check(if_match, row["revision"])
    refuse_if_protected(locked)
    await give_back(tx, caller.project_id, floating_ip_ids)


def refuse_if_protected(floating_ips: Sequence[Record]) -> None:
    """Refuse to release what its project protects.

    Raises FloatingIPProtected.
    """
    for floating_ip in floating_ips:
        if floating_ip["protected"]:
            raise FloatingIPProtected(floating_ip["floating_ip_id"])


# One time for all: the address rests from the end of its interval on.
GIVE_BACK = """
WITH given AS (
    UPDATE addresses a
       SET state = CASE p.quarantine_seconds WHEN 0 THEN 'free' ELSE 'resting' END,
           rests_for = CASE WHEN p.quarantine_seconds > 0 THEN a.project_id END,
           rests_until = CASE
               WHEN p.quarantine_seconds > 0 THEN
                   greatest(clock.time, a.changed_at)
                   + make_interval(secs => p.quarantine_seconds)
               END,
           pick = random(),
           floating_ip_id = NULL,
           floating_ip_uuid = NULL,
           project_id = NULL,
           fixed_ip = NULL,
           auto_associated = false,
           revision = NULL,
           description = NULL,
           created_at = NULL,
           described_at = NULL,
           protected = false,
           changed_at = greatest(clock.time, a.changed_at)
      FROM pools p, (SELECT clock_timestamp() AS time) AS clock
     WHERE p.id = a.pool_id AND a.project_id = $1 AND a.floating_ip_id = ANY($2)
 RETURNING a.address, a.changed_at
), ended AS (
    UPDATE history h
       SET until = g.changed_at
      FROM given g
     WHERE h.address = g.address
       AND h.floating_ip_id = ANY($2)
       AND h.until IS NULL
)
DELETE FROM floating_ip_tags WHERE floating_ip_id = ANY($2)
"""


async def give_back(tx: Tx, project_id: str, floating_ip_ids: Sequence[int]) -> None:
    """Let addresses go that are locked; their quota has been given back before."""
    await tx.execute(GIVE_BACK, project_id, floating_ip_ids)
