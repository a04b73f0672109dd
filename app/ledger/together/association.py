"""Floating IPs of many callers pointed at fixed IPs or at nothing, in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass

from asyncpg import Record

from app.auth import Caller
from app.database import Connection
from app.ledger.addresses import Address


@dataclass(frozen=True, slots=True)
class Association:
    """A caller who points a floating IP at a fixed IP."""

    caller: Caller
    floating_ip_id: int
    fixed_ip: Address


@dataclass(frozen=True, slots=True)
class Disassociation:
    """A caller who points a floating IP at nothing."""

    caller: Caller
    floating_ip_id: int


# Of floating IPs that point at nothing to fixed IPs that nothing points at. Of several
# that are to point at one, the first does. What has changed since the snapshot is left,
# here and below: its history is not seen.
ASSOCIATE = """
WITH seen AS MATERIALIZED (
    SELECT asked.number, asked.fixed_ip, asked.actor, asked.request_id, a.address,
           a.xmin AS version
      FROM unnest(CAST($1 AS text[]), CAST($2 AS bigint[]), CAST($3 AS text[]),
                  CAST($4 AS text[]), CAST($5 AS inet[]))
           WITH ORDINALITY
           AS asked(project_id, floating_ip_id, actor, request_id, fixed_ip, number)
      JOIN addresses a
        ON a.project_id = asked.project_id AND a.floating_ip_id = asked.floating_ip_id
     WHERE a.fixed_ip IS NULL AND family(a.address) = family(asked.fixed_ip)
), locked AS (
    SELECT s.number, s.fixed_ip, s.actor, s.request_id, a.address, a.project_id
      FROM seen s
      JOIN addresses a ON a.address = s.address AND a.xmin = s.version
       FOR UPDATE OF a SKIP LOCKED
), targets AS (
    SELECT l.number, l.fixed_ip, l.actor, l.request_id, l.address, l.project_id,
           f.server_id
      FROM locked l
      JOIN fixed_ips f ON f.project_id = l.project_id AND f.address = l.fixed_ip
     WHERE NOT EXISTS (SELECT
                         FROM addresses o
                        WHERE o.project_id = f.project_id AND o.fixed_ip = f.address)
       FOR NO KEY UPDATE OF f SKIP LOCKED
), chosen AS (
    SELECT DISTINCT ON (project_id, fixed_ip) *
      FROM targets
     ORDER BY project_id, fixed_ip, number
), pointed AS (
    UPDATE addresses a
       SET fixed_ip = c.fixed_ip,
           auto_associated = false,
           revision = a.revision + 1,
           changed_at = greatest(clock_timestamp(), a.changed_at)
      FROM chosen c
     WHERE a.address = c.address
 RETURNING c.number, c.actor, c.request_id, c.server_id, a.fixed_ip, a.floating_ip_id,
           a.changed_at, a.revision
), """

DISASSOCIATE = """
WITH seen AS MATERIALIZED (
    SELECT asked.number, asked.actor, asked.request_id, a.address, a.xmin AS version
      FROM unnest(CAST($1 AS text[]), CAST($2 AS bigint[]), CAST($3 AS text[]),
                  CAST($4 AS text[]))
           WITH ORDINALITY
           AS asked(project_id, floating_ip_id, actor, request_id, number)
      JOIN addresses a
        ON a.project_id = asked.project_id AND a.floating_ip_id = asked.floating_ip_id
     WHERE a.fixed_ip IS NOT NULL
), locked AS (
    SELECT s.number, s.actor, s.request_id, a.address
      FROM seen s
      JOIN addresses a ON a.address = s.address AND a.xmin = s.version
       FOR UPDATE OF a SKIP LOCKED
), pointed AS (
    UPDATE addresses a
       SET fixed_ip = NULL,
           auto_associated = false,
           revision = a.revision + 1,
           changed_at = greatest(clock_timestamp(), a.changed_at)
      FROM locked l
     WHERE a.address = l.address
 RETURNING l.number, l.actor, l.request_id, CAST(NULL AS bigint) AS server_id,
           a.fixed_ip, a.floating_ip_id, a.changed_at, a.revision
), """

# As `history.TURN` does: an interval begins only once the one before it has ended.
TURN = """ended AS (
    UPDATE history h
       SET until = p.changed_at
      FROM pointed p
     WHERE h.floating_ip_id = p.floating_ip_id AND h.until IS NULL
 RETURNING h.address, h.floating_ip_id, h.project_id, p.fixed_ip, p.server_id,
           p.changed_at, p.actor, p.request_id
), begun AS (
    INSERT INTO history (address, floating_ip_id, project_id, fixed_ip, server_id,
                         since, actor, request_id)
    SELECT address, floating_ip_id, project_id, fixed_ip, server_id, changed_at, actor,
           request_id
      FROM ended
)
SELECT number, revision FROM pointed
"""


async def associate(
    connection: Connection, asked: Sequence[Association]
) -> list[int | None]:
    """Point floating IPs at fixed IPs, as far as it can be done at once.

    Returns their revisions from now on.

    Locks the addresses, then the fixed IPs; waits for neither.
    """
    rows = await connection.fetch(
        ASSOCIATE + TURN, *_whose(asked), [each.fixed_ip for each in asked]
    )
    return _revisions(rows, len(asked))


async def disassociate(
    connection: Connection, asked: Sequence[Disassociation]
) -> list[int | None]:
    """Point floating IPs at nothing, as far as it can be done at once.

    Returns their revisions from now on.

    Locks the addresses; waits for none.
    """
    rows = await connection.fetch(DISASSOCIATE + TURN, *_whose(asked))
    return _revisions(rows, len(asked))


def _whose(
    asked: Sequence[Association] | Sequence[Disassociation],
) -> list[list[object]]:
    """Return the first four parameters of both statements."""
    return [
        [each.caller.project_id for each in asked],
        [each.floating_ip_id for each in asked],
        [each.caller.user_id for each in asked],
        [each.caller.request_id for each in asked],
    ]


def _revisions(rows: Sequence[Record], count: int) -> list[int | None]:
    revisions: list[int | None] = [None] * count
    for number, revision in rows:
        revisions[number - 1] = revision
    return revisions
