"""The addresses of all pools, as the operator sees them."""

from dataclasses import dataclass

from app.database import Connection
from app.errors import UnknownMarker
from app.ledger.addresses import Address


@dataclass(frozen=True, slots=True)
class PoolAddress:
    """An address as the operator sees it: its pool, and who has it."""

    address: str
    pool: str
    interface: str
    project_id: str | None
    server_uuid: str | None
    fixed_ip: str | None


PAGE = """
SELECT host(a.address), p.name, a.interface, a.project_id, s.uuid::text,
       host(a.fixed_ip)
  FROM addresses a
  JOIN pools p ON p.id = a.pool_id
  LEFT JOIN fixed_ips f ON f.project_id = a.project_id AND f.address = a.fixed_ip
  LEFT JOIN servers s ON s.id = f.server_id
 WHERE a.address > $1
 ORDER BY a.address
 LIMIT $2
"""

BELOW_ALL = "0.0.0.0/0"

IS_THERE = "SELECT FROM addresses WHERE address = $1"


async def page(
    connection: Connection, marker: Address | None, limit: int
) -> list[PoolAddress]:
    """Return the addresses of all pools in order, from the one after the marker on.

    Raises UnknownMarker.
    """
    if marker and await connection.fetchrow(IS_THERE, marker) is None:
        raise UnknownMarker(marker)
    return await behind(connection, marker, limit)


async def behind(
    connection: Connection, address: Address | None, limit: int
) -> list[PoolAddress]:
    """Return the addresses behind one that may have left its pool by now."""
    rows = await connection.fetch(PAGE, address or BELOW_ALL, limit)
    return [PoolAddress(*row) for row in rows]
