"""How many floating IPs a project may hold, and how many more it can.

A quota is dealt into shares, rows of their own with some of its room each. Whoever
takes or gives back locks one share that nobody else has locked, so that a project's
requests do not wait for each other until each is on disk. At every moment

    room of all shares + floating IPs that the project holds = quota

and a share never has less than no room, but for the first, which owes what the project
holds beyond a quota that was lowered. No limit is a very large quota.

Shares are dealt anew, as new rows, when the quota changes: a statement that still sees
the old ones finds them gone, and looks again.
"""

import asyncio
from dataclasses import dataclass
from random import randrange

from app.database import Connection, Tx
from app.errors import Busy, QuotaExceeded
from app.ledger.dealing import LOCK, UNLIMITED
from app.ledger.dealing import NO_LIMIT as NO_LIMIT
from app.ledger.dealing import SHARES as SHARES
from app.ledger.dealing import deal as deal
from app.ledger.waiting import wait_a_moment

PATIENCE = 2.0
"""Seconds to wait for room while all shares that have some are locked."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What a project may hold (-1: no limit), and how much it holds."""

    allowed: int
    used: int


# Skips what others have locked, and begins at a random share: an old snapshot keeps
# the earlier versions of each, which are passed on the way to the present one. The
# condition is read again once the row is locked.
TAKE_ONE = """
WITH quota AS (
    SELECT project_id, $3 % shares AS start
      FROM quotas
     WHERE project_id = $1 AND dealt = coalesce(allowed, $2)
)
UPDATE quota_shares
   SET room = room - 1
 WHERE project_id = $1
   AND number = coalesce(
       (SELECT number
          FROM quota_shares
         WHERE project_id = (SELECT project_id FROM quota)
           AND number >= (SELECT start FROM quota)
           AND room > 0
         ORDER BY number
         LIMIT 1
           FOR UPDATE SKIP LOCKED),
       (SELECT number
          FROM quota_shares
         WHERE project_id = (SELECT project_id FROM quota)
           AND number < (SELECT start FROM quota)
           AND room > 0
         ORDER BY number
         LIMIT 1
           FOR UPDATE SKIP LOCKED))
RETURNING number
"""

# Takes from the first of the shares with room that nobody else has locked, or nothing.
# What is left is computed from the locked row: `s` may be the one before it at first,
# and what a CHECK finds wrong then is refused, though it would be computed again.
TAKE_MANY = """
WITH locked AS (
    SELECT number, room
      FROM quota_shares
     WHERE project_id = $1 AND room > 0
     ORDER BY number
       FOR UPDATE SKIP LOCKED
), portions AS (
    SELECT number,
           room,
           least(room,
                 CAST($2 AS bigint) - coalesce(sum(room) OVER before, 0)) AS portion,
           sum(room) OVER () AS room_of_all
      FROM locked
    WINDOW before AS (ORDER BY number
                      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
)
UPDATE quota_shares s
   SET room = p.room - p.portion
  FROM portions p
 WHERE s.project_id = $1
   AND s.number = p.number
   AND p.portion > 0
   AND p.room_of_all >= $2
RETURNING s.number
"""

# Any one of them: waiting for several in turn, two could wait for each other.
AWAIT_ROOM = """
SELECT
  FROM quota_shares
 WHERE project_id = $1
   AND number = (SELECT number
                   FROM quota_shares
                  WHERE project_id = $1 AND room > 0
                  ORDER BY random()
                  LIMIT 1)
   FOR UPDATE
"""

STANDS = """
SELECT q.dealt,
       coalesce(q.allowed, $2) AS allowed,
       (SELECT sum(s.room)
          FROM quota_shares s
         WHERE s.project_id = q.project_id) AS room
  FROM quotas q
 WHERE q.project_id = $1
"""


async def take(tx: Tx, project_id: str, default: int, count: int = 1) -> None:
    """Count so many floating IPs more for the project, or refuse.

    "Exceeded" is what a statement of its own saw; while shares are merely locked, it
    waits for them.

    Locks shares of the project's quota until the transaction ends, one if `count` is 1.
    Raises QuotaExceeded, Busy.
    """
    if count == 1 and await _take_one(tx, project_id, default):
        return
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE
    while not await _take_slowly(tx, project_id, default, count):
        if loop.time() > deadline:
            raise Busy


async def _take_one(tx: Tx, project_id: str, default: int) -> bool:
    number = await tx.fetchval(TAKE_ONE, project_id, default, _any_share())
    return number is not None


def _any_share() -> int:
    return randrange(SHARES)  # noqa: S311  # spreads load, keeps no secret


async def _take_slowly(tx: Tx, project_id: str, default: int, count: int) -> bool:
    """Look why nothing could be taken at once; tell whether something is taken now."""
    stands = await tx.fetchrow(STANDS, project_id, default)
    if stands is None:
        await tx.execute(BEGIN, project_id)
        return False
    if stands["dealt"] != stands["allowed"]:
        await _deal_if_due(tx, project_id, default)
        return False
    if stands["room"] < count:
        raise QuotaExceeded(project_id, stands["allowed"])
    if await _take_at_once(tx, project_id, count):
        return True
    await wait_a_moment(tx, AWAIT_ROOM, project_id)
    return False


async def _take_at_once(tx: Tx, project_id: str, count: int) -> bool:
    """Take from several shares, or let go of those that had too little."""
    savepoint = tx.transaction()
    await savepoint.start()
    is_taken = await tx.fetchval(TAKE_MANY, project_id, count) is not None
    await (savepoint.commit() if is_taken else savepoint.rollback())
    return is_taken


async def _deal_if_due(tx: Tx, project_id: str, default: int) -> None:
    """Deal a quota that is another one by now, unless somebody else just has."""
    await tx.execute(LOCK, [project_id])
    stands = await tx.fetchrow(STANDS, project_id, default)
    if stands and stands["dealt"] != stands["allowed"]:
        await deal(tx, [project_id], default)


# Any share will do, from a random one on, unless the first owes.
GIVE_BACK_TO_ANY = """
WITH quota AS (
    SELECT project_id, $3 % shares AS start
      FROM quotas
     WHERE project_id = $1
       AND NOT EXISTS (SELECT FROM quota_shares
                        WHERE project_id = $1 AND number = 0 AND room < 0)
)
UPDATE quota_shares
   SET room = room + $2
 WHERE project_id = $1
   AND number = (
       SELECT number
         FROM quota_shares
        WHERE project_id = (SELECT project_id FROM quota)
          AND number >= (SELECT start FROM quota)
        ORDER BY number
        LIMIT 1
          FOR UPDATE SKIP LOCKED)
RETURNING number
"""

GIVE_BACK_TO_THE_FIRST = """
UPDATE quota_shares SET room = room + $2 WHERE project_id = $1 AND number = 0
RETURNING number
"""


async def give_back(tx: Tx, project_id: str, count: int = 1) -> None:
    """Count so many floating IPs less for the project.

    Locks a share of the project's quota until the transaction ends.
    """
    given = await tx.fetchval(GIVE_BACK_TO_ANY, project_id, count, _any_share())
    if given is None:
        given = await tx.fetchval(GIVE_BACK_TO_THE_FIRST, project_id, count)
    if given is None:
        # No share is there while the quota is dealt, anew or for the first time; none
        # is dealt once this has it locked.
        await tx.execute(BEGIN, project_id)
        await tx.execute(LOCK, [project_id])
        await tx.execute(GIVE_BACK_TO_THE_FIRST, project_id, count)


async def show(connection: Connection, project_id: str, default: int) -> Quota:
    """Return the project's quota; the default for a project never seen."""
    row = await connection.fetchrow(STANDS, project_id, default)
    if row is None:
        return Quota(default, 0)
    total = UNLIMITED if row["dealt"] == NO_LIMIT else row["dealt"]
    return Quota(row["allowed"], int(total - row["room"]))


BEGIN = """
WITH begun AS (
    INSERT INTO quotas (project_id) VALUES ($1)
        ON CONFLICT (project_id) DO NOTHING
    RETURNING project_id
)
INSERT INTO quota_shares (project_id, number, room) SELECT project_id, 0, 0 FROM begun
"""


ALLOW = "UPDATE quotas SET allowed = $2 WHERE project_id = $1"


async def allow(tx: Tx, project_id: str, allowed: int) -> None:
    """Let the project hold so many floating IPs (-1: no limit), and take none away.

    Locks the project's quota and all its shares until the transaction ends.
    """
    await tx.execute(BEGIN, project_id)
    await tx.execute(ALLOW, project_id, allowed)
    await deal(tx, [project_id], allowed)


RESET = "UPDATE quotas SET allowed = NULL WHERE project_id = $1"


async def reset(tx: Tx, project_id: str, default: int) -> None:
    """Let the project hold as many floating IPs as the default says.

    Locks the project's quota and all its shares until the transaction ends.
    """
    await tx.execute(RESET, project_id)
    await deal(tx, [project_id], default)
