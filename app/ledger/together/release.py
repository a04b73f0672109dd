"""Addresses back from many callers in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import randrange

from app.auth import Caller
from app.database import Connection
from app.ledger.dealing import SHARES


@dataclass(frozen=True, slots=True)
class Release:
    """A caller who gives a floating IP back."""

    caller: Caller
    floating_ip_id: int


# What is protected is left, and so are projects whose first share owes, and what has
# changed since the snapshot: its history is not seen. Of two callers who give the same
# back one has done it.
RELEASE = """
WITH seen AS MATERIALIZED (
    SELECT asked.number, a.address, a.xmin AS version
      FROM unnest(CAST($1 AS text[]), CAST($2 AS bigint[]))
           WITH ORDINALITY AS asked(project_id, floating_ip_id, number)
      JOIN addresses a
        ON a.project_id = asked.project_id AND a.floating_ip_id = asked.floating_ip_id
     WHERE NOT a.protected
), locked AS (
    SELECT s.number, a.address, a.project_id, a.floating_ip_id
      FROM seen s
      JOIN addresses a ON a.address = s.address AND a.xmin = s.version
       FOR UPDATE OF a SKIP LOCKED
), shares AS (
    SELECT q.project_id, s.number
      FROM (SELECT DISTINCT project_id FROM locked) AS l
      JOIN quotas q ON q.project_id = l.project_id
     CROSS JOIN LATERAL (
           SELECT *
             FROM (SELECT number
                     FROM quota_shares
                    WHERE project_id = q.project_id AND number >= $3 % q.shares
                    ORDER BY number
                    LIMIT 1
                      FOR UPDATE SKIP LOCKED) AS any_share
            UNION ALL
           SELECT *
             FROM (SELECT number
                     FROM quota_shares
                    WHERE project_id = q.project_id AND number < $3 % q.shares
                    ORDER BY number
                    LIMIT 1
                      FOR UPDATE SKIP LOCKED) AS any_before
            LIMIT 1) AS s
     WHERE NOT EXISTS (SELECT
                         FROM quota_shares
                        WHERE project_id = q.project_id AND number = 0 AND room < 0)
), given AS (
    UPDATE addresses a
       SET state = CASE p.quarantine_seconds WHEN 0 THEN 'free' ELSE 'resting' END,
           rests_for = CASE WHEN p.quarantine_seconds > 0 THEN a.project_id END,
           rests_until = CASE
               WHEN p.quarantine_seconds > 0 THEN
                   greatest(clock.time, a.changed_at)
                   + make_interval(secs => p.quarantine_seconds)
               END,
           pick = random(),
           floating_ip_id = NULL,
           floating_ip_uuid = NULL,
           project_id = NULL,
           fixed_ip = NULL,
           auto_associated = false,
           revision = NULL,
           description = NULL,
           created_at = NULL,
           described_at = NULL,
           changed_at = greatest(clock.time, a.changed_at)
      FROM locked l
      JOIN shares s ON s.project_id = l.project_id,
           pools p,
           (SELECT clock_timestamp() AS time) AS clock
     WHERE a.address = l.address AND p.id = a.pool_id
 RETURNING l.number, l.project_id, l.floating_ip_id, a.changed_at
), credited AS (
    UPDATE quota_shares q
       SET room = q.room + g.count
      FROM shares s
      JOIN (SELECT project_id, count(*) AS count FROM given GROUP BY project_id) AS g
        ON g.project_id = s.project_id
     WHERE q.project_id = s.project_id AND q.number = s.number
), ended AS (
    UPDATE history h
       SET until = g.changed_at
      FROM given g
     WHERE h.floating_ip_id = g.floating_ip_id AND h.until IS NULL
), untagged AS (
    DELETE FROM floating_ip_tags t USING given g
     WHERE t.floating_ip_id = g.floating_ip_id
)
SELECT number FROM given
"""


async def release(
    connection: Connection, asked: Sequence[Release]
) -> list[bool | None]:
    """Take floating IPs back, as far as it can be done at once; True for those.

    Locks the addresses and shares of the projects' quotas; waits for neither.
    """
    rows = await connection.fetch(
        RELEASE,
        [each.caller.project_id for each in asked],
        [each.floating_ip_id for each in asked],
        randrange(SHARES),  # noqa: S311  # spreads load, keeps no secret
    )
    done: list[bool | None] = [None] * len(asked)
    for (number,) in rows:
        done[number - 1] = True
    return done
