"""What a pool has: how many addresses in which state, and how long released ones rest.

The counts are sums over `pool_counts`, where every change of a state adds a row of
differences (a trigger of the database), so that pools of millions are counted without
reading them and nobody waits to count.
"""

from dataclasses import dataclass

from app.database import Connection, Tx
from app.errors import PoolNotFound


@dataclass(frozen=True, slots=True)
class PoolState:
    """A pool, and how many of its addresses are in which state."""

    name: str
    quarantine_seconds: int
    free: int
    held: int
    resting: int
    reserved: int

    @property
    def total(self) -> int:
        """All addresses of the pool."""
        return self.free + self.held + self.resting + self.reserved


STATES = """
SELECT p.name,
       p.quarantine_seconds,
       coalesce(CAST(sum(c.free) AS bigint), 0),
       coalesce(CAST(sum(c.held) AS bigint), 0),
       coalesce(CAST(sum(c.resting) AS bigint), 0),
       coalesce(CAST(sum(c.reserved) AS bigint), 0)
  FROM pools p
  LEFT JOIN pool_counts c ON c.pool_id = p.id
 WHERE p.name = $1 OR $1 IS NULL
 GROUP BY p.id
 ORDER BY p.name
"""


async def states(connection: Connection) -> list[PoolState]:
    """Return the state of every pool, by name."""
    return [PoolState(*row) for row in await connection.fetch(STATES, None)]


async def show(connection: Connection, name: str) -> PoolState:
    """Return the state of a pool.

    Raises PoolNotFound.
    """
    row = await connection.fetchrow(STATES, name)
    if row is None:
        raise PoolNotFound(name)
    return PoolState(*row)


SET_QUARANTINE = "UPDATE pools SET quarantine_seconds = $2 WHERE name = $1"


async def set_quarantine(tx: Tx, name: str, seconds: int) -> PoolState:
    """Let addresses of the pool that are released from now on rest so long.

    Locks the pool.
    Raises PoolNotFound.
    """
    await tx.execute(SET_QUARANTINE, name, seconds)
    return await show(tx, name)


# Rows of one pool stay together, so that a batch always leaves fewer of them. Nothing
# updates these rows: one that is locked stays where it is.
ADD_UP = """
WITH gone AS (
    DELETE FROM pool_counts
     WHERE ctid = ANY (ARRAY(
           SELECT ctid
             FROM pool_counts
            WHERE pool_id IN (SELECT pool_id
                                FROM pool_counts
                               GROUP BY pool_id
                              HAVING count(*) > 1)
            ORDER BY pool_id
            LIMIT $1
              FOR UPDATE SKIP LOCKED))
 RETURNING pool_id, free, held, resting, reserved
), added AS (
    INSERT INTO pool_counts (pool_id, free, held, resting, reserved)
    SELECT pool_id, sum(free), sum(held), sum(resting), sum(reserved)
      FROM gone
     GROUP BY pool_id
)
SELECT count(*) FROM gone
"""


async def add_up(tx: Tx, most: int) -> int:
    """Add up so many rows of differences at most; return how many there were.

    Locks them.
    """
    count: int = await tx.fetchval(ADD_UP, most)
    return count
