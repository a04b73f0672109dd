"""Addresses for many callers, of any projects and pools, in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import random, randrange

from app.auth import Caller
from app.database import Connection
from app.ledger.dealing import SHARES
from app.ledger.floating_ips import FloatingIP


@dataclass(frozen=True, slots=True)
class Allocation:
    """A caller who asks for any address of a pool."""

    caller: Caller
    pool: str


# Who of those that ask comes how manyth in the project.
ASKED = """
WITH RECURSIVE asked AS (
    SELECT a.number, a.project_id, a.actor, a.request_id, p.id AS pool_id,
           row_number() OVER (PARTITION BY a.project_id ORDER BY a.number) AS turn
      FROM unnest(CAST($1 AS text[]), CAST($2 AS text[]), CAST($3 AS text[]),
                  CAST($4 AS text[]))
           WITH ORDINALITY AS a(project_id, actor, request_id, pool, number)
      JOIN pools p ON p.name = a.pool
), """

# Locks shares of each project's quota one by one, from a random one on and then from
# the first, until there is room for all or no more share. `before` is the room of those
# that were locked before. The second of two ways on is looked at if the first is none.
ROOM = """shares AS (
    SELECT w.project_id,
           w.count,
           $6 % q.shares AS start,
           $6 % q.shares - 1 AS number,
           false AS wrapped,
           CAST(0 AS bigint) AS before,
           CAST(0 AS bigint) AS room
      FROM (SELECT project_id, count(*) AS count FROM asked GROUP BY project_id) AS w
      JOIN quotas q
        ON q.project_id = w.project_id AND q.dealt = coalesce(q.allowed, $5)
     UNION ALL
    SELECT s.project_id, s.count, s.start, next.number, next.wrapped,
           s.before + s.room, next.room
      FROM shares s
     CROSS JOIN LATERAL (
           SELECT *
             FROM (SELECT number, false AS wrapped, room
                     FROM quota_shares
                    WHERE project_id = s.project_id
                      AND number > s.number
                      AND NOT s.wrapped
                      AND room > 0
                    ORDER BY number
                    LIMIT 1
                      FOR UPDATE SKIP LOCKED) AS after
            UNION ALL
           SELECT *
             FROM (SELECT number, true, room
                     FROM quota_shares
                    WHERE project_id = s.project_id
                      AND number > CASE WHEN s.wrapped THEN s.number ELSE -1 END
                      AND number < s.start
                      AND room > 0
                    ORDER BY number
                    LIMIT 1
                      FOR UPDATE SKIP LOCKED) AS from_the_first
            LIMIT 1) AS next
     WHERE s.before + s.room < s.count
), entitled AS (
    SELECT a.number, a.project_id, a.actor, a.request_id, a.pool_id,
           row_number() OVER (PARTITION BY a.project_id, a.pool_id
                              ORDER BY a.number) AS turn
      FROM asked a
      JOIN (SELECT project_id, max(before + room) AS room
              FROM shares
             GROUP BY project_id) AS r
        ON r.project_id = a.project_id AND a.turn <= r.room
), """

# As `allocation.CHOOSE_ONE` does, but for addresses that were another's: what a project
# gave back itself, and else free ones from a random key on and then from the first.
ADDRESSES = """own AS (
    SELECT w.project_id, w.pool_id, o.address,
           row_number() OVER (PARTITION BY w.project_id, w.pool_id) AS turn
      FROM (SELECT project_id, pool_id, count(*) AS count
              FROM entitled
             GROUP BY project_id, pool_id) AS w
     CROSS JOIN LATERAL (
           SELECT address
             FROM addresses
            WHERE pool_id = w.pool_id
              AND state = 'resting'
              AND rests_for = w.project_id
            ORDER BY changed_at DESC
            LIMIT w.count
              FOR UPDATE SKIP LOCKED) AS o
), without AS (
    SELECT e.number, e.project_id, e.actor, e.request_id, e.pool_id,
           row_number() OVER (PARTITION BY e.pool_id ORDER BY e.number) AS turn
      FROM entitled e
     WHERE NOT EXISTS (SELECT
                         FROM own o
                        WHERE o.project_id = e.project_id
                          AND o.pool_id = e.pool_id
                          AND o.turn = e.turn)
), free AS (
    SELECT pool_id,
           count(*) AS count,
           CAST(0 AS bigint) AS turn,
           CAST(NULL AS inet) AS address,
           CAST($7 AS float8) AS pick,
           false AS wrapped
      FROM without
     GROUP BY pool_id
     UNION ALL
    SELECT f.pool_id, f.count, f.turn + 1, next.address, next.pick, next.wrapped
      FROM free f
     CROSS JOIN LATERAL (
           SELECT *
             FROM (SELECT address, pick, false AS wrapped
                     FROM addresses
                    WHERE pool_id = f.pool_id
                      AND state = 'free'
                      AND pick > f.pick
                      AND NOT f.wrapped
                    ORDER BY pick
                    LIMIT 1
                      FOR UPDATE SKIP LOCKED) AS after
            UNION ALL
           SELECT *
             FROM (SELECT address, pick, true
                     FROM addresses
                    WHERE pool_id = f.pool_id
                      AND state = 'free'
                      AND pick > CASE WHEN f.wrapped THEN f.pick ELSE -1 END
                      AND pick <= $7
                    ORDER BY pick
                    LIMIT 1
                      FOR UPDATE SKIP LOCKED) AS from_the_first
            LIMIT 1) AS next
     WHERE f.turn < f.count
), given AS (
    SELECT e.number, e.project_id, e.actor, e.request_id, o.address
      FROM entitled e
      JOIN own o USING (project_id, pool_id, turn)
     UNION ALL
    SELECT w.number, w.project_id, w.actor, w.request_id, f.address
      FROM without w
      JOIN free f USING (pool_id, turn)
), """

# Of the room of a share as much is taken as addresses were found for.
TAKE = """taken AS (
    UPDATE quota_shares q
       SET room = s.room - least(s.room, c.count - s.before)
      FROM shares s
      JOIN (SELECT project_id, count(*) AS count FROM given GROUP BY project_id) AS c
        ON c.project_id = s.project_id AND c.count > s.before
     WHERE q.project_id = s.project_id AND q.number = s.number AND s.room > 0
), held AS (
    UPDATE addresses a
       SET state = 'held',
           floating_ip_id = nextval('floating_ip_ids'),
           floating_ip_uuid = gen_random_uuid(),
           project_id = g.project_id,
           revision = 1,
           rests_for = NULL,
           rests_until = NULL,
           changed_at = greatest(clock_timestamp(), a.changed_at),
           created_at = clock_timestamp()
      FROM given g
     WHERE a.address = g.address
 RETURNING g.number, g.actor, g.request_id, a.address, a.floating_ip_id, a.project_id,
           a.changed_at
), begun AS (
    INSERT INTO history (address, floating_ip_id, project_id, since, actor, request_id)
    SELECT address, floating_ip_id, project_id, changed_at, actor, request_id
      FROM held
)
SELECT number, floating_ip_id, host(address) AS ip FROM held
"""

ALLOCATE = ASKED + ROOM + ADDRESSES + TAKE


async def allocate(
    connection: Connection, asked: Sequence[Allocation], default_quota: int
) -> list[FloatingIP | None]:
    """Give each caller's project an address, as far as it can be had at once.

    Locks shares of the projects' quotas, and addresses; waits for neither.
    """
    callers = [each.caller for each in asked]
    rows = await connection.fetch(
        ALLOCATE,
        [caller.project_id for caller in callers],
        [caller.user_id for caller in callers],
        [caller.request_id for caller in callers],
        [each.pool for each in asked],
        default_quota,
        randrange(SHARES),  # noqa: S311  # both spread load, and keep no secret
        random(),  # noqa: S311
    )
    given: list[FloatingIP | None] = [None] * len(asked)
    for number, floating_ip_id, ip in rows:
        given[number - 1] = FloatingIP(floating_ip_id, ip, None, None, 1)
    return given
