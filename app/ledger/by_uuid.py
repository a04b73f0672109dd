"""What clients know by a UUID or a name: found with the id that the rules go by.

Nothing is locked here: a rule locks by the id, and looks again.
"""

from dataclasses import dataclass
from uuid import UUID

from app.database import Connection
from app.errors import FloatingIPNotFound, PoolNotFound, ServerNotFound
from app.settings import is_pool_name

FIND_FLOATING_IP = """
SELECT floating_ip_id FROM addresses WHERE project_id = $1 AND floating_ip_uuid = $2
"""


async def floating_ip_id(connection: Connection, project_id: str, uuid: UUID) -> int:
    """Return the id of a floating IP of the project.

    Raises FloatingIPNotFound.
    """
    found: int | None = await connection.fetchval(FIND_FLOATING_IP, project_id, uuid)
    if found is None:
        raise FloatingIPNotFound(uuid)
    return found


FIND_SERVER = "SELECT id FROM servers WHERE project_id = $1 AND uuid = $2"


async def server_id(connection: Connection, project_id: str, uuid: UUID) -> int:
    """Return the id of a server of the project.

    Raises ServerNotFound.
    """
    found: int | None = await connection.fetchval(FIND_SERVER, project_id, uuid)
    if found is None:
        raise ServerNotFound(uuid)
    return found


# A pool may be called like the UUID of another: then the name counts.
FIND_POOL = """
SELECT name
  FROM pools
 WHERE name = $1 OR CAST(uuid AS text) = lower($1)
 ORDER BY name = $1 DESC
 LIMIT 1
"""


async def pool_name(connection: Connection, name_or_uuid: str) -> str:
    """Return the name of a pool that is known by its name or its UUID.

    Raises PoolNotFound.
    """
    found: str | None = None
    if is_pool_name(name_or_uuid):
        found = await connection.fetchval(FIND_POOL, name_or_uuid)
    if found is None:
        raise PoolNotFound(name_or_uuid)
    return found


@dataclass(frozen=True, slots=True)
class FloatingIP:
    """A floating IP with the UUIDs of itself and of its server, and its pool's name."""

    id: int
    uuid: str
    ip: str
    fixed_ip: str | None
    server_uuid: str | None
    pool: str


SHOW = """
SELECT a.floating_ip_id, a.floating_ip_uuid::text, host(a.address), host(a.fixed_ip),
       s.uuid::text, p.name
  FROM addresses a
  JOIN pools p ON p.id = a.pool_id
  LEFT JOIN fixed_ips f ON f.project_id = a.project_id AND f.address = a.fixed_ip
  LEFT JOIN servers s ON s.id = f.server_id
 WHERE a.project_id = $1 AND a.floating_ip_uuid = $2
"""


async def show(connection: Connection, project_id: str, uuid: UUID) -> FloatingIP:
    """Return a floating IP of the project.

    Raises FloatingIPNotFound.
    """
    row = await connection.fetchrow(SHOW, project_id, uuid)
    if row is None:
        raise FloatingIPNotFound(uuid)
    return FloatingIP(*row)


PAGE = """
SELECT a.floating_ip_id, a.floating_ip_uuid::text, host(a.address), host(a.fixed_ip),
       s.uuid::text, p.name
  FROM addresses a
  JOIN pools p ON p.id = a.pool_id
  LEFT JOIN fixed_ips f ON f.project_id = a.project_id AND f.address = a.fixed_ip
  LEFT JOIN servers s ON s.id = f.server_id
 WHERE a.project_id = $1 AND a.floating_ip_id > $2
 ORDER BY a.floating_ip_id
 LIMIT $3
"""


async def page(
    connection: Connection, project_id: str, after: int, limit: int
) -> list[FloatingIP]:
    """Return the project's floating IPs by id, from the one after that id on."""
    rows = await connection.fetch(PAGE, project_id, after, limit)
    return [FloatingIP(*row) for row in rows]


async def of_id(connection: Connection, project_id: str, id: int) -> FloatingIP:
    """Return the floating IP of the project that has this id; there must be one."""
    (floating_ip,) = await page(connection, project_id, id - 1, 1)
    return floating_ip
