"""Floating IPs as they stand: one, or a page of a project's."""

from dataclasses import dataclass

from app.database import Connection
from app.errors import FloatingIPNotFound, UnknownMarker


@dataclass(frozen=True, slots=True)
class FloatingIP:
    """An address while a project holds it; the id is never used again."""

    id: int
    ip: str
    fixed_ip: str | None
    server_id: int | None
    revision: int


SHOW = """
SELECT a.floating_ip_id, host(a.address), host(a.fixed_ip), f.server_id, a.revision
  FROM addresses a
  LEFT JOIN fixed_ips f ON f.project_id = a.project_id AND f.address = a.fixed_ip
 WHERE a.project_id = $1 AND a.floating_ip_id = $2
"""


async def show(
    connection: Connection, project_id: str, floating_ip_id: int
) -> FloatingIP:
    """Return a floating IP of the project.

    Raises FloatingIPNotFound.
    """
    row = await connection.fetchrow(SHOW, project_id, floating_ip_id)
    if row is None:
        raise FloatingIPNotFound(floating_ip_id)
    return FloatingIP(*row)


PAGE = """
SELECT a.floating_ip_id, host(a.address), host(a.fixed_ip), f.server_id, a.revision
  FROM addresses a
  LEFT JOIN fixed_ips f ON f.project_id = a.project_id AND f.address = a.fixed_ip
 WHERE a.project_id = $1 AND a.floating_ip_id > $2
 ORDER BY a.floating_ip_id
 LIMIT $3
"""


IS_THERE = "SELECT FROM addresses WHERE project_id = $1 AND floating_ip_id = $2"


async def page(
    connection: Connection, project_id: str, marker: int | None, limit: int
) -> list[FloatingIP]:
    """Return the project's floating IPs by id, from the one after the marker on.

    Raises UnknownMarker.
    """
    if marker and await connection.fetchrow(IS_THERE, project_id, marker) is None:
        raise UnknownMarker(marker)
    rows = await connection.fetch(PAGE, project_id, marker or 0, limit)
    return [FloatingIP(*row) for row in rows]
