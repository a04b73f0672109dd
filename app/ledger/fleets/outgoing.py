"""Giving out what the ledger holds."""

from collections.abc import AsyncIterator

from app.database import Tx
from app.ledger.fleets import form

EVERY_FLOATING_IP = """
SELECT host(a.address), a.project_id, host(a.fixed_ip), s.name
  FROM addresses a
  LEFT JOIN fixed_ips f ON f.project_id = a.project_id AND f.address = a.fixed_ip
  LEFT JOIN servers s ON s.project_id = f.project_id AND s.id = f.server_id
 WHERE a.floating_ip_id IS NOT NULL
 ORDER BY a.address
"""

PIECE = 1000
"""Lines that are fetched, and yielded, at once."""


async def export(tx: Tx) -> AsyncIterator[str]:
    """Yield the floating IPs of all projects, by address, as `take_in` reads them.

    What is not associated with a floating IP is left out: free addresses, pools,
    quotas, and servers that nothing stands for.
    """
    yield form.written([form.COLUMNS])
    cursor = await tx.cursor(EVERY_FLOATING_IP)
    while rows := await cursor.fetch(PIECE):
        yield form.written([tuple(row) for row in rows])
