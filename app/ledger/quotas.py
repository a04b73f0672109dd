"""How many floating IPs a project may hold, and how many it holds."""

from dataclasses import dataclass

from app.database import Connection, Tx
from app.errors import QuotaExceeded

NO_LIMIT = -1


@dataclass(frozen=True, slots=True)
class Quota:
    """What a project may hold (-1: no limit), and how much it holds."""

    allowed: int
    used: int


# The condition is part of the update, so it is read again after any wait.
TAKE_ONE = """
UPDATE quotas
   SET used = used + 1
 WHERE project_id = $1
   AND (coalesce(allowed, $2) = -1 OR used < coalesce(allowed, $2))
RETURNING used
"""

BEGIN_COUNTING = """
INSERT INTO quotas (project_id) VALUES ($1) ON CONFLICT (project_id) DO NOTHING
"""


async def take(tx: Tx, project_id: str, default: int) -> None:
    """Count one more floating IP for the project, or refuse.

    Locks the project's quota row until the transaction ends.
    Raises QuotaExceeded.
    """
    if await tx.fetchval(TAKE_ONE, project_id, default) is not None:
        return
    await tx.execute(BEGIN_COUNTING, project_id)
    if await tx.fetchval(TAKE_ONE, project_id, default) is None:
        quota = await show(tx, project_id, default)
        raise QuotaExceeded(project_id, quota.allowed)


GIVE_BACK = """
UPDATE quotas SET used = used - $2 WHERE project_id = $1 AND used >= $2
"""


async def give_back(tx: Tx, project_id: str, count: int = 1) -> None:
    """Count so many floating IPs less for the project, if it has them.

    Locks the project's quota row until the transaction ends.
    """
    await tx.execute(GIVE_BACK, project_id, count)


SHOW = """
SELECT coalesce(allowed, $2) AS allowed, used FROM quotas WHERE project_id = $1
"""


async def show(connection: Connection, project_id: str, default: int) -> Quota:
    """Return the project's quota; the default for a project never seen."""
    row = await connection.fetchrow(SHOW, project_id, default)
    return Quota(row["allowed"], row["used"]) if row else Quota(default, 0)


ALLOW = """
INSERT INTO quotas (project_id, allowed) VALUES ($1, $2)
    ON CONFLICT (project_id) DO UPDATE SET allowed = excluded.allowed
"""


async def allow(tx: Tx, project_id: str, allowed: int) -> None:
    """Let the project hold so many floating IPs (-1: no limit), and take none away.

    Locks the project's quota row until the transaction ends.
    """
    await tx.execute(ALLOW, project_id, allowed)


RESET = "UPDATE quotas SET allowed = NULL WHERE project_id = $1"


async def reset(tx: Tx, project_id: str) -> None:
    """Let the project hold as many floating IPs as the default says.

    Locks the project's quota row until the transaction ends.
    """
    await tx.execute(RESET, project_id)
