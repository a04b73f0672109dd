"""Servers as they stand, and their removal."""

from dataclasses import dataclass

from app.auth import Caller
from app.database import Connection, Tx
from app.errors import ServerNotFound, UnknownMarker
from app.ledger import association, quotas, release


@dataclass(frozen=True, slots=True)
class Server:
    """A registered server, its fixed IPs, and the floating IPs that stand for them."""

    id: int
    name: str
    private: list[str]
    public: list[str]


SHOW = """
SELECT s.id,
       s.name,
       ARRAY(SELECT host(f.address)
               FROM fixed_ips f
              WHERE f.project_id = s.project_id AND f.server_id = s.id
              ORDER BY f.address),
       ARRAY(SELECT host(a.address)
               FROM fixed_ips f
               JOIN addresses a
                 ON a.project_id = f.project_id AND a.fixed_ip = f.address
              WHERE f.project_id = s.project_id AND f.server_id = s.id
              ORDER BY a.floating_ip_id)
  FROM servers s
 WHERE s.project_id = $1 AND s.id = $2
"""


async def show(connection: Connection, project_id: str, server_id: int) -> Server:
    """Return a server of the project.

    Raises ServerNotFound.
    """
    row = await connection.fetchrow(SHOW, project_id, server_id)
    if row is None:
        raise ServerNotFound(server_id)
    return Server(*row)


PAGE = """
SELECT s.id,
       s.name,
       ARRAY(SELECT host(f.address)
               FROM fixed_ips f
              WHERE f.project_id = s.project_id AND f.server_id = s.id
              ORDER BY f.address),
       ARRAY(SELECT host(a.address)
               FROM fixed_ips f
               JOIN addresses a
                 ON a.project_id = f.project_id AND a.fixed_ip = f.address
              WHERE f.project_id = s.project_id AND f.server_id = s.id
              ORDER BY a.floating_ip_id)
  FROM servers s
 WHERE s.project_id = $1 AND s.id > $2
 ORDER BY s.id
 LIMIT $3
"""


IS_THERE = "SELECT FROM servers WHERE project_id = $1 AND id = $2"


async def page(
    connection: Connection, project_id: str, marker: int | None, limit: int
) -> list[Server]:
    """Return the project's servers by id, from the one after the marker on.

    Raises UnknownMarker.
    """
    if marker and await connection.fetchrow(IS_THERE, project_id, marker) is None:
        raise UnknownMarker(marker)
    rows = await connection.fetch(PAGE, project_id, marker or 0, limit)
    return [Server(*row) for row in rows]


class _OvertakenError(Exception):
    """What was associated with the server had changed before all of it was locked."""


async def remove(tx: Tx, caller: Caller, server_id: int) -> None:
    """Remove a server; the project keeps its floating IPs, disassociated.

    Those that the server got by itself are released.

    Locks a share of the project's quota if one is released, then the floating IPs, the
    server and its fixed IPs.
    Raises ServerNotFound, FloatingIPProtected.
    """
    while True:
        try:
            # A savepoint: going back to it gives back the locks taken since.
            async with tx.transaction():
                return await _remove(tx, caller, server_id)
        except _OvertakenError:
            continue


ASSOCIATED = """
SELECT a.floating_ip_id, a.auto_associated, a.protected
  FROM addresses a
  JOIN fixed_ips f ON f.project_id = a.project_id AND f.address = a.fixed_ip
 WHERE f.project_id = $1 AND f.server_id = $2
 ORDER BY a.address
"""

LOCK_ASSOCIATED = """
SELECT a.floating_ip_id, a.auto_associated, a.protected
  FROM addresses a
  JOIN fixed_ips f ON f.project_id = a.project_id AND f.address = a.fixed_ip
 WHERE f.project_id = $1 AND f.server_id = $2
 ORDER BY a.address
   FOR UPDATE OF a
"""

LOCK = "SELECT id FROM servers WHERE project_id = $1 AND id = $2 FOR UPDATE"

LOCK_FIXED_IPS = """
SELECT address
  FROM fixed_ips
 WHERE project_id = $1 AND server_id = $2
 ORDER BY address
   FOR UPDATE
"""

REMOVE_FIXED_IPS = "DELETE FROM fixed_ips WHERE project_id = $1 AND server_id = $2"

REMOVE = "DELETE FROM servers WHERE project_id = $1 AND id = $2"


async def _remove(tx: Tx, caller: Caller, server_id: int) -> None:
    of_the_server = (caller.project_id, server_id)
    expected = await tx.fetch(ASSOCIATED, *of_the_server)
    if released := sum(row["auto_associated"] for row in expected):
        await quotas.give_back(tx, caller.project_id, released)
    locked = await tx.fetch(LOCK_ASSOCIATED, *of_the_server)
    if await tx.fetchval(LOCK, *of_the_server) is None:
        raise ServerNotFound(server_id)
    await tx.fetch(LOCK_FIXED_IPS, *of_the_server)
    if not expected == locked == await tx.fetch(ASSOCIATED, *of_the_server):
        raise _OvertakenError
    release.refuse_if_protected(locked)
    own = [row["floating_ip_id"] for row in locked if row["auto_associated"]]
    await release.give_back(tx, caller.project_id, own)
    for row in locked:
        if not row["auto_associated"]:
            await association.disassociate(tx, caller, row["floating_ip_id"])
    await tx.execute(REMOVE_FIXED_IPS, *of_the_server)
    await tx.execute(REMOVE, *of_the_server)
