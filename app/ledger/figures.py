"""What an operator watches of the ledger and of its database."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.database import Connection
from app.ledger import pools
from app.ledger.dealing import UNLIMITED
from app.ledger.quotas import Quota

MOST_PROJECTS = 20
"""Projects whose quota is shown: those that are nearest to its end."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The ledger at one moment.

    Ages are those of the oldest transaction, in seconds, and of the oldest snapshot, in
    transactions since; of other users' sessions they are seen with pg_read_all_stats.
    """

    pools: Sequence[pools.PoolState]
    fullest: Sequence[tuple[str, Quota]]
    transaction_seconds: float
    snapshot_transactions: int


# No limit comes last: its use is next to nothing of it.
FULLEST = """
SELECT project_id, dealt, used
  FROM (SELECT q.project_id, q.dealt,
               CASE q.dealt WHEN -1 THEN CAST($2 AS bigint) ELSE q.dealt END
               AS total,
               CASE q.dealt WHEN -1 THEN CAST($2 AS bigint) ELSE q.dealt END
               - CAST(sum(s.room) AS bigint) AS used
          FROM quotas q
          JOIN quota_shares s ON s.project_id = q.project_id
         GROUP BY q.project_id) AS counted
 WHERE used > 0
 ORDER BY used / greatest(total, 1.0) DESC, project_id
 LIMIT $1
"""

OLDEST = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0),
       coalesce(max(age(backend_xmin)), 0)
  FROM pg_stat_activity
 WHERE pid <> pg_backend_pid()
"""


async def read(connection: Connection) -> Figures:
    """Return the figures as they are now."""
    fullest = await connection.fetch(FULLEST, MOST_PROJECTS, UNLIMITED)
    oldest = await connection.fetchrow(OLDEST)
    assert oldest  # noqa: S101  # an aggregate has one row
    return Figures(
        await pools.states(connection),
        [(project_id, Quota(dealt, used)) for project_id, dealt, used in fullest],
        max(float(oldest[0]), 0.0),
        oldest[1],
    )
