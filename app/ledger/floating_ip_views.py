"""Floating IPs with all that the network API tells of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.database import Connection
from app.errors import FloatingIPNotFound


@dataclass(frozen=True, slots=True)
class FloatingIPView:
    """A floating IP, its pool, the port and the server it stands for, its tags."""

    id: int
    uuid: str
    ip: str
    fixed_ip: str | None
    revision: int
    description: str
    created_at: datetime
    updated_at: datetime
    network_uuid: str
    port_uuid: str | None
    server_uuid: str | None
    tags: list[str]


SHOW = """
SELECT a.floating_ip_id,
       a.floating_ip_uuid::text,
       host(a.address),
       host(a.fixed_ip),
       a.revision,
       coalesce(a.description, ''),
       coalesce(a.created_at, a.changed_at),
       greatest(a.changed_at, a.described_at),
       p.uuid::text,
       f.uuid::text,
       s.uuid::text,
       ARRAY(SELECT t.tag
               FROM floating_ip_tags t
              WHERE t.floating_ip_id = a.floating_ip_id
              ORDER BY t.tag)
  FROM addresses a
  JOIN pools p ON p.id = a.pool_id
  LEFT JOIN fixed_ips f ON f.project_id = a.project_id AND f.address = a.fixed_ip
  LEFT JOIN servers s ON s.project_id = f.project_id AND s.id = f.server_id
"""

OF_IDS = SHOW + " WHERE a.project_id = $1 AND a.floating_ip_id = ANY($2)"


async def of_ids(
    connection: Connection, project_id: str, ids: Sequence[int]
) -> list[FloatingIPView]:
    """Return floating IPs in the order of the ids; one that has gone is left out."""
    rows = await connection.fetch(OF_IDS, project_id, ids)
    found = {row[0]: FloatingIPView(*row) for row in rows}
    return [found[id] for id in ids if id in found]


OF_UUID = SHOW + " WHERE a.project_id = $1 AND a.floating_ip_uuid = $2"


async def show(connection: Connection, project_id: str, uuid: UUID) -> FloatingIPView:
    """Return a floating IP of the project.

    Raises FloatingIPNotFound.
    """
    row = await connection.fetchrow(OF_UUID, project_id, uuid)
    if row is None:
        raise FloatingIPNotFound(uuid)
    return FloatingIPView(*row)
