"""What becomes due without anybody asking: done in batches, by one replica at a time.

Little depends on when it is done: allocation takes what has rested long enough by
itself when nothing is free, and counts are sums at every moment. Only a hold that is
over keeps its address until then from all who do not ask for that very one.
"""

from datetime import datetime, timedelta

from app.database import Tx
from app.ledger import holds, idempotency, intervals, pools

BATCH = 1000
"""Rows of a kind that one sweep changes at most."""

TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtext('floating-ips sweep'))"

FREE_DUE = """
WITH due AS (
    SELECT r.address
      FROM pools p,
   LATERAL (SELECT a.address
              FROM addresses a
             WHERE a.pool_id = p.id AND a.state = 'resting' AND a.rests_until <= now()
             ORDER BY a.rests_until
             LIMIT $1
               FOR UPDATE SKIP LOCKED) AS r
     LIMIT $1
), freed AS (
    UPDATE addresses
       SET state = 'free',
           rests_for = NULL,
           rests_until = NULL,
           changed_at = greatest(clock_timestamp(), changed_at)
     WHERE address = ANY (ARRAY(SELECT address FROM due))
 RETURNING address
)
SELECT count(*) FROM freed
"""


async def sweep(tx: Tx, keep_answers: timedelta) -> bool:
    """Do a batch of all that is due; tell whether there may be more of it.

    Answers are kept that long for their idempotency keys. Does nothing while another
    transaction sweeps.

    Locks the addresses that are due.
    """
    if not await tx.fetchval(TRY_LOCK):
        return False
    freed: int = await tx.fetchval(FREE_DUE, BATCH)
    lifted = await holds.lift_those_over(tx, BATCH)
    added_up = await pools.add_up(tx, BATCH)
    forgotten = await idempotency.sweep(tx, keep_answers, BATCH)
    return BATCH in (freed, lifted, added_up, forgotten)


async def sweep_history(tx: Tx, after: int, ended_before: datetime) -> tuple[int, int]:
    """Look at a batch of history, and drop what ended before then.

    Returns where to go on the next time, and how many intervals it dropped: none while
    another transaction sweeps.

    Locks what it drops.
    """
    if not await tx.fetchval(TRY_LOCK):
        return after, 0
    return await intervals.sweep(tx, after, ended_before, BATCH)
