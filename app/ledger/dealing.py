"""Dealing quotas into shares: rows of their own, with some of the room each."""

from collections.abc import Sequence

from app.database import Tx

NO_LIMIT = -1
UNLIMITED = 2**40
"""What is dealt where there is no limit."""

SHARES = 64
"""Of one project at most: as many of its requests pass at the same time."""

LOCK = """
SELECT project_id
  FROM quotas
 WHERE project_id = ANY($1)
 ORDER BY project_id
   FOR UPDATE
"""

LOCK_SHARES = """
SELECT number
  FROM quota_shares
 WHERE project_id = ANY($1)
 ORDER BY project_id, number
   FOR UPDATE
"""

# A quota of n is dealt into n shares, 64 at most. What does not divide evenly goes to
# the first ones. Of what is owed, all is in the first.
DEAL = """
WITH gone AS (
    DELETE FROM quota_shares WHERE project_id = ANY($1) RETURNING project_id, room
), room AS (
    SELECT project_id, sum(room) AS room FROM gone GROUP BY project_id
), totals AS (
    SELECT q.project_id,
           coalesce(q.allowed, $2) AS allowed,
           CASE coalesce(q.allowed, $2)
           WHEN -1 THEN CAST($4 AS bigint)
           ELSE coalesce(q.allowed, $2)
           END AS total,
           CASE q.dealt WHEN -1 THEN $4 ELSE q.dealt END - r.room AS used
      FROM quotas q
      JOIN room r ON r.project_id = q.project_id
), dealt AS (
    UPDATE quotas q
       SET dealt = t.allowed, shares = greatest(least(t.total, $3), 1)
      FROM totals t
     WHERE q.project_id = t.project_id
 RETURNING q.project_id, t.total - CAST(t.used AS bigint) AS room, q.shares AS count
)
INSERT INTO quota_shares (project_id, number, room)
SELECT project_id,
       number,
       CASE
       WHEN room >= 0 THEN room / count + CAST(number < room % count AS int)
       WHEN number = 0 THEN room
       ELSE 0
       END
  FROM dealt, generate_series(0, count - 1) AS number
"""


async def deal(tx: Tx, project_ids: Sequence[str], default: int) -> None:
    """Deal the quotas of projects into new shares, by what they are now.

    Locks the quotas and all their shares until the transaction ends.
    """
    await tx.execute(LOCK, project_ids)
    await tx.execute(LOCK_SHARES, project_ids)
    await tx.execute(DEAL, project_ids, default, SHARES, UNLIMITED)
