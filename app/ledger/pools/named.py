"""Pools by their names."""

from app.database import Connection, Tx
from app.errors import PoolNotFound

FIND = "SELECT id FROM pools WHERE name = $1"


async def find(connection: Connection, name: str) -> int:
    """Return the id of the pool with that name.

    Raises PoolNotFound.
    """
    pool_id: int | None = await connection.fetchval(FIND, name)
    if pool_id is None:
        raise PoolNotFound(name)
    return pool_id


NAMES = "SELECT name FROM pools ORDER BY name"


async def names(connection: Connection) -> list[str]:
    """Return the names of all pools, in order."""
    return [row["name"] for row in await connection.fetch(NAMES)]


# The update that changes nothing locks the pool where it exists already.
FIND_OR_CREATE = """
INSERT INTO pools (name) VALUES ($1)
    ON CONFLICT (name) DO UPDATE SET name = excluded.name
RETURNING id
"""


async def find_or_create(tx: Tx, name: str) -> int:
    """Return the id of the pool with that name, which is there from now on.

    Locks the pool.
    """
    pool_id: int = await tx.fetchval(FIND_OR_CREATE, name)
    return pool_id
