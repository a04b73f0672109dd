"""Who held which address, and when: one row per interval in which nothing changed.

Times are the `changed_at` of the locked address, never the transaction's start, which
would let intervals overlap. The database refuses an interval that overlaps another of
its address, a second end, and any other change.
"""

from datetime import datetime

from app.auth import Caller
from app.database import Tx
from app.ledger.addresses import Address

BEGIN = """
INSERT INTO history (address, floating_ip_id, project_id, fixed_ip, server_id,
                     since, actor, request_id)
VALUES (CAST($1::text AS inet), $2, $3, NULL, NULL, $4, $5, $6)
"""


async def begin(
    tx: Tx, caller: Caller, ip: str, floating_ip_id: int, since: datetime
) -> None:
    """Open the first interval of a floating IP: held, and associated with nothing."""
    await tx.execute(
        BEGIN,
        ip,
        floating_ip_id,
        caller.project_id,
        since,
        caller.user_id,
        caller.request_id,
    )


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


END = """
UPDATE history SET until = $2 WHERE floating_ip_id = $1 AND until IS NULL
"""


async def end(tx: Tx, floating_ip_id: int, until: datetime) -> None:
    """End the last interval of a floating IP."""
    await tx.execute(END, floating_ip_id, until)
