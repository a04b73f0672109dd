"""Who held which address, and when: one row per interval in which nothing changed.

Times are the `changed_at` of the locked address, never the transaction's start, which
would let intervals overlap. The database refuses an interval that overlaps another of
its address, a second end, and any other change.
"""

from datetime import datetime

from app.auth import Caller
from app.database import Tx
from app.ledger.addresses import Address

TURN = """
WITH ended AS (
    UPDATE history
       SET until = $2
     WHERE floating_ip_id = $1 AND until IS NULL
 RETURNING address, floating_ip_id, project_id
)
INSERT INTO history (address, floating_ip_id, project_id, fixed_ip, server_id,
                     since, actor, request_id)
SELECT address, floating_ip_id, project_id, $3, $4, $2, $5, $6
  FROM ended
"""


async def turn(
    tx: Tx,
    caller: Caller,
    floating_ip_id: int,
    at: datetime,
    fixed_ip: Address | None,
    server_id: int | None,
) -> None:
    """End the present interval and open one with another association, at one time."""
    await tx.execute(
        TURN,
        floating_ip_id,
        at,
        fixed_ip,
        server_id,
        caller.user_id,
        caller.request_id,
    )
