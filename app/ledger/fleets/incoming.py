"""Taking a fleet in: all of its floating IPs, or nothing.

The file is copied into a table of the transaction, `fleet`; then each step is one
statement for all of its lines. A check takes the lines that it finds faulty out of the
table, so that one line has one fault and later steps meet none of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from asyncpg import ForeignKeyViolationError, UniqueViolationError

from app.database import Tx
from app.errors import Busy, InvalidValue
from app.ledger import pools, quotas
from app.ledger.fleets import form
from app.ledger.fleets.checks import (
    FIXED_IP_OF_ANOTHER,
    NOT_FREE,
    OCCUPIED,
    OVER_QUOTA,
    REPEATED_ADDRESS,
    REPEATED_FIXED_IP,
)
from app.ledger.fleets.faults import SHOWN, Fault, Faults, FleetRefused

ACTOR = "import"
"""Who the history names."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a fleet is taken in.

    Addresses in no pool are faults, or are added to `pool`. Lines beyond a project's
    quota are faults, or its quota is raised to what it then holds. The history names
    `request_id`.
    """

    request_id: str
    default_quota: int
    pool: str | None = None
    raise_quotas: bool = False


@dataclass(frozen=True, slots=True)
class TakenIn:
    """How much was new."""

    floating_ips: int
    servers: int
    addresses: int
    quotas: int


BEGIN = """
CREATE TEMPORARY TABLE fleet (
    line integer PRIMARY KEY,
    address inet NOT NULL,
    project_id text COLLATE "C" NOT NULL,
    fixed_ip inet,
    server text
) ON COMMIT DROP
"""

# However wrong the planner is about the ledger, it has no need to read all of the fleet
# for each row of it.
PREPARE = """
CREATE UNIQUE INDEX ON fleet (address);
CREATE UNIQUE INDEX ON fleet (project_id, fixed_ip);
CREATE INDEX ON fleet (project_id, server);
ANALYZE fleet
"""


async def take_in(tx: Tx, content: bytes, terms: Terms) -> TakenIn:
    """Allocate what a file lists, and associate it, as its projects would have done.

    Each address must be free. A fixed IP that is registered must be of a server of that
    name. One that is not becomes the fixed IP of the project's server of that name,
    which is registered if there is none.

    Locks quotas, the pool if it is named, free addresses, and servers (shared).
    Raises FleetRefused with every fault, and Busy, where another transaction has taken
    since what was seen to be free.
    """
    faults = Faults()
    await tx.execute(BEGIN)
    await tx.copy_records_to_table("fleet", records=form.read(content, faults))
    try:
        return await _take_in(tx, faults, terms)
    except (UniqueViolationError, ForeignKeyViolationError) as violation:
        raise Busy from violation


BEGIN_QUOTAS = """
WITH begun AS (
    INSERT INTO quotas (project_id)
    SELECT DISTINCT project_id FROM fleet ORDER BY project_id
        ON CONFLICT (project_id) DO NOTHING
    RETURNING project_id
)
INSERT INTO quota_shares (project_id, number, room) SELECT project_id, 0, 0 FROM begun
"""

PROJECTS = "SELECT DISTINCT project_id FROM fleet ORDER BY project_id"

LOCK_FREE = """
WITH locked AS (
    SELECT a.address
      FROM addresses a
      JOIN fleet f ON f.address = a.address
     WHERE a.state = 'free'
     ORDER BY a.address
       FOR UPDATE OF a
)
SELECT count(*) FROM locked
"""


async def _take_in(tx: Tx, faults: Faults, terms: Terms) -> TakenIn:
    await _check(tx, REPEATED_ADDRESS, faults)
    await _check(tx, REPEATED_FIXED_IP, faults)
    await tx.execute(PREPARE)
    await tx.execute(BEGIN_QUOTAS)
    projects = [row["project_id"] for row in await tx.fetch(PROJECTS)]
    await quotas.deal(tx, projects, terms.default_quota)
    addresses = await _add_to(tx, terms.pool) if terms.pool else 0
    await tx.execute(LOCK_FREE)
    await _check(tx, NOT_FREE, faults)
    servers = await _register(tx)
    await _check(tx, FIXED_IP_OF_ANOTHER, faults)
    await _check(tx, OCCUPIED, faults)
    if not terms.raise_quotas:
        await _check(tx, OVER_QUOTA, faults)
    if faults.count:
        raise FleetRefused(faults)
    raised = await _count(tx, terms, projects)
    return TakenIn(await _hold(tx, terms), servers, addresses, raised)


async def _check(tx: Tx, statement: str, faults: Faults) -> None:
    """Take the faulty lines out of the fleet, and note them."""
    rows = await tx.fetch(statement, SHOWN)
    found = [
        Fault(row["line"], str(InvalidValue(row["column"], row["rule"], row["value"])))
        for row in rows
    ]
    if rows:
        faults.extend(found, rows[0]["count"])


ADD_TO_POOL = """
INSERT INTO addresses (address, pool_id)
SELECT f.address, $1
  FROM fleet f
 WHERE NOT EXISTS (SELECT FROM addresses a WHERE a.address = f.address)
 ORDER BY f.address
    ON CONFLICT (address) DO NOTHING
"""


# Those that rested when they were taken out of a pool rest on.
REMEMBER = """
WITH back AS (
    DELETE FROM former_addresses m
     USING fleet f
     WHERE m.address = f.address
 RETURNING m.address, m.changed_at, m.rests_for, m.rests_until
)
UPDATE addresses a
   SET state = CASE WHEN b.rests_until IS NULL THEN 'free' ELSE 'resting' END,
       rests_for = b.rests_for,
       rests_until = b.rests_until,
       changed_at = b.changed_at
  FROM back b
 WHERE a.address = b.address
"""


async def _add_to(tx: Tx, pool: str) -> int:
    pool_id = await pools.find_or_create(tx, pool)
    added = _number(await tx.execute(ADD_TO_POOL, pool_id))
    await pools.count_added(tx, pool_id, added)
    await tx.execute(REMEMBER)
    return added


def _number(status: str) -> int:
    """Read how many rows a statement has changed."""
    return int(status.rpartition(" ")[2])


# The shares of the keys keep the servers, and so their fixed IPs, from being removed.
LOCK_SERVERS = """
WITH locked AS (
    SELECT id
      FROM servers
     WHERE (project_id, name) IN (SELECT project_id, server FROM fleet)
     ORDER BY id
       FOR KEY SHARE
)
SELECT count(*) FROM locked
"""

REGISTER = """
INSERT INTO servers (project_id, name)
SELECT f.project_id, f.server
  FROM fleet f
 WHERE f.fixed_ip IS NOT NULL
   AND NOT EXISTS (SELECT FROM fixed_ips i
                    WHERE i.project_id = f.project_id AND i.address = f.fixed_ip)
   AND NOT EXISTS (SELECT FROM servers s
                    WHERE s.project_id = f.project_id AND s.name = f.server)
 GROUP BY f.project_id, f.server
 ORDER BY min(f.line)
"""

ADD_FIXED_IPS = """
INSERT INTO fixed_ips (project_id, address, server_id)
SELECT f.project_id, f.fixed_ip, s.id
  FROM fleet f
  JOIN (SELECT project_id, name, min(id) AS id
          FROM servers
         WHERE project_id IN (SELECT project_id FROM fleet)
         GROUP BY project_id, name
        HAVING count(*) = 1) AS s
    ON s.project_id = f.project_id AND s.name = f.server
 WHERE f.fixed_ip IS NOT NULL
 ORDER BY f.project_id, f.fixed_ip
    ON CONFLICT (project_id, address) DO NOTHING
"""


async def _register(tx: Tx) -> int:
    """Register the servers and fixed IPs that are not yet; return how many servers."""
    await tx.execute(LOCK_SERVERS)
    servers = _number(await tx.execute(REGISTER))
    await tx.execute(ADD_FIXED_IPS)
    return servers


# The first share may owe for a moment: the quotas are dealt anew behind it.
COUNT = """
UPDATE quota_shares s
   SET room = s.room - f.used
  FROM (SELECT project_id, count(*) AS used FROM fleet GROUP BY project_id) AS f
 WHERE s.project_id = f.project_id AND s.number = 0
"""

RAISE = """
UPDATE quotas q
   SET allowed = dealt - s.room
  FROM (SELECT project_id, sum(room) AS room FROM quota_shares GROUP BY project_id) AS s
 WHERE q.project_id = s.project_id
   AND q.project_id IN (SELECT project_id FROM fleet)
   AND q.dealt >= 0
   AND s.room < 0
"""


async def _count(tx: Tx, terms: Terms, projects: Sequence[str]) -> int:
    """Count the floating IPs for their projects; return how many quotas were raised."""
    await tx.execute(COUNT)
    raised = _number(await tx.execute(RAISE)) if terms.raise_quotas else 0
    await quotas.deal(tx, projects, terms.default_quota)
    return raised


# In order of the addresses, the splits of the history's GiST index would be bad ones:
# 100,000 rows cost 12 s of CPU then, and 7 s in random order.
HOLD = """
WITH held AS (
    UPDATE addresses a
       SET state = 'held',
           floating_ip_id = nextval('floating_ip_ids'),
           floating_ip_uuid = gen_random_uuid(),
           project_id = f.project_id,
           fixed_ip = f.fixed_ip,
           revision = 1,
           changed_at = greatest(clock_timestamp(), a.changed_at),
           created_at = clock_timestamp()
      FROM fleet f
     WHERE a.address = f.address AND a.state = 'free'
 RETURNING a.address, a.floating_ip_id, a.project_id, a.fixed_ip, a.changed_at
)
INSERT INTO history (address, floating_ip_id, project_id, fixed_ip, server_id,
                     since, actor, request_id)
SELECT h.address, h.floating_ip_id, h.project_id, h.fixed_ip, i.server_id,
       h.changed_at, $1, $2
  FROM held h
  LEFT JOIN fixed_ips i ON i.project_id = h.project_id AND i.address = h.fixed_ip
 ORDER BY random()
"""

SIZE = "SELECT count(*) FROM fleet"


async def _hold(tx: Tx, terms: Terms) -> int:
    """Give the addresses to their projects, with one interval of history each.

    Raises Busy.
    """
    held = _number(await tx.execute(HOLD, ACTOR, terms.request_id))
    if held < await tx.fetchval(SIZE):
        raise Busy
    return held
