"""History as it is read: who held which address, and when.

Each main filter has a statement that reads an index of its own, so that nobody waits
for the intervals of others. Time is compared as ranges, [since, until): an instant is
of the interval that begins with it, and what began and ended at once is in none.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from asyncpg import Range

from app.database import Connection, Tx
from app.errors import UnknownMarker
from app.ledger.addresses import Address


@dataclass(frozen=True, slots=True)
class Window:
    """A time from a beginning to an end, either of which can be open; or an instant."""

    since: datetime | None
    until: datetime | None

    def range(self) -> "Range[datetime]":
        """Return it as Postgres has it: without its end, unless it is an instant."""
        is_instant = self.since is not None and self.since == self.until
        return Range(self.since, self.until, upper_inc=is_instant)


@dataclass(frozen=True, slots=True)
class Interval:
    """A time in which nothing changed for an address; `until` is None if it lasts."""

    id: int
    ip: str
    floating_ip_id: int
    project_id: str
    fixed_ip: str | None
    server_id: int | None
    since: datetime
    until: datetime | None
    actor: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Which intervals are wanted; None is any. The window is what they overlap."""

    project_id: str | None = None
    ip: Address | None = None
    floating_ip_id: int | None = None
    server_id: int | None = None
    window: Window | None = None


COLUMNS = """
SELECT id, host(address), floating_ip_id, project_id, host(fixed_ip), server_id, since,
       until, actor, request_id
"""

FROM = "  FROM history"

# What is not the statement's own main filter, and that as well. The window stands where
# no index can serve it: by time alone, that of addresses would be read whole.
MATCHING = """
 WHERE id > $1
   AND (address = $3 OR CAST($3 AS inet) IS NULL)
   AND (floating_ip_id = $5 OR CAST($5 AS bigint) IS NULL)
   AND (server_id = $6 OR CAST($6 AS bigint) IS NULL)
   AND coalesce(tstzrange(since, until) && $7, true)
"""

OF_THE_PROJECT = "   AND (project_id = $4 OR CAST($4 AS text) IS NULL)"

IN_ORDER = " ORDER BY id LIMIT $2"

# The same as an equality, but for the planner, which would walk all history in order of
# the ids in search of a project that has much of it.
WALK_PROJECT = """
   AND (project_id, id) > ($4, $1)
   AND project_id <= $4
 ORDER BY project_id, id
 LIMIT $2
"""

# The index of `one_owner_at_a_time` finds an address, and one in a window. What it
# finds has no order: OFFSET 0 keeps the planner from walking all history in order
# instead.
OF_ADDRESS = """
  FROM (SELECT id, address, floating_ip_id, project_id, fixed_ip, server_id, since,
               until, actor, request_id
          FROM history
         WHERE address_key(address) = address_key($3) AND address = $3
        OFFSET 0) AS history
"""

OF_ADDRESS_IN_WINDOW = """
  FROM (SELECT id, address, floating_ip_id, project_id, fixed_ip, server_id, since,
               until, actor, request_id
          FROM history
         WHERE address_key(address) = address_key($3)
           AND address = $3
           AND tstzrange(since, until) && $7
        OFFSET 0) AS history
"""

REST = MATCHING + OF_THE_PROJECT
BY_ADDRESS = COLUMNS + OF_ADDRESS + REST + IN_ORDER
BY_ADDRESS_IN_WINDOW = COLUMNS + OF_ADDRESS_IN_WINDOW + REST + IN_ORDER
BY_FLOATING_IP = COLUMNS + FROM + REST + "   AND floating_ip_id = $5" + IN_ORDER
BY_SERVER = COLUMNS + FROM + REST + "   AND server_id = $6" + IN_ORDER
BY_PROJECT = COLUMNS + FROM + MATCHING + WALK_PROJECT
ALL = COLUMNS + FROM + REST + IN_ORDER


def statement(chosen: Filter) -> str:
    """Return the statement whose index finds the least that can match."""
    match chosen:
        case Filter(ip=ip, window=window) if ip is not None:
            return BY_ADDRESS if window is None else BY_ADDRESS_IN_WINDOW
        case Filter(floating_ip_id=int()):
            return BY_FLOATING_IP
        case Filter(server_id=int()):
            return BY_SERVER
        case Filter(project_id=str()):
            return BY_PROJECT
    return ALL


def parameters(chosen: Filter, marker: int | None, limit: int) -> tuple[object, ...]:
    """Return the parameters that each of the statements takes."""
    return (
        marker or 0,
        limit,
        chosen.ip,
        chosen.project_id,
        chosen.floating_ip_id,
        chosen.server_id,
        chosen.window and chosen.window.range(),
    )


IS_THERE = """
SELECT FROM history WHERE id = $1 AND (project_id = $2 OR CAST($2 AS text) IS NULL)
"""


async def page(
    connection: Connection, chosen: Filter, marker: int | None, limit: int
) -> list[Interval]:
    """Return intervals in the order they began, from the one after the marker on.

    Raises UnknownMarker.
    """
    if marker and not await connection.fetch(IS_THERE, marker, chosen.project_id):
        raise UnknownMarker(marker)
    rows = await connection.fetch(statement(chosen), *parameters(chosen, marker, limit))
    return [Interval(*row) for row in rows]


# Ids are in the order in which intervals began. The present ones stay, however old. An
# array, because a join may be planned by what was known of the table when it was small.
SWEEP = """
WITH seen AS (
    SELECT id, since, until FROM history WHERE id > $1 ORDER BY id LIMIT $3
), swept AS (
    DELETE FROM history
     WHERE id = ANY (ARRAY(SELECT id FROM seen WHERE until < $2))
 RETURNING 1
)
SELECT (SELECT max(id) FROM seen WHERE since < $2) AS last,
       (SELECT count(*) FROM swept) AS count
"""

AGO = "SELECT now() - CAST($1 AS interval)"


async def ago(tx: Tx, time: timedelta) -> datetime:
    """Return when that was, by the clock of the database."""
    then: datetime = await tx.fetchval(AGO, time)
    return then


async def sweep(
    tx: Tx, after: int, ended_before: datetime, most: int
) -> tuple[int, int]:
    """Look at so many intervals after that id, and drop those that ended before then.

    Returns where to go on the next time (0: at the beginning), and how many it dropped.
    The time has to be the same from one beginning to the next: else a floating IP could
    lose an interval, and keep the one before it.

    Locks what it drops.
    """
    row = await tx.fetchrow(SWEEP, after, ended_before, most)
    assert row  # noqa: S101  # it has no FROM
    return row["last"] or 0, row["count"]
